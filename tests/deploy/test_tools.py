"""The SAM CLI and the AWS CLI, as the documentation uses them."""

import io
import json
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ops.local_aws.bundle import local_bundle
from ops.local_aws.compensations import adapt
from ops.local_aws.emulator import Emulator
from ops.local_aws.stack import LocalStack
from ops.sessionctl.container_environment import write_env_vars
from ops.validation.translation import load_template
from schemas.times import format_rfc3339
from tests.deploy.conftest import ROOT, TOOLS, eventually, run, sessionctl, settings_of

NAME = "by-sam"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def environment(emulator: Emulator) -> dict[str, str]:
    return settings_of(emulator.endpoint, "us-east-1")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam build` leaves, with the functions built for this machine."""
    folder = tmp_path_factory.mktemp("built")
    with zipfile.ZipFile(io.BytesIO(local_bundle())) as archive:
        archive.extractall(folder / "code")  # our own bundle
    template = load_template()
    adapt(template)
    template["Globals"]["Function"]["CodeUri"] = "code"
    published = template["Metadata"]["AWS::ServerlessRepo::Application"]
    for name in ("LicenseUrl", "ReadmeUrl"):  # `sam build` makes them relative to what it builds
        published[name] = str(ROOT / published[name])
    (folder / "template.json").write_text(json.dumps(template))
    return folder


def aws(environment: dict[str, str], *arguments: str) -> Any:
    printed = run([str(TOOLS / "aws"), *arguments, "--output", "json"], environment)
    return json.loads(printed) if printed.strip() else None


def deploy(environment: dict[str, str], built: Path, *overrides: str) -> None:
    run(
        [
            *(str(TOOLS / "sam"), "deploy", "--template-file", "template.json", "--stack-name", NAME),
            *("--s3-bucket", "artifacts", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"),
            *("--no-fail-on-empty-changeset", "--parameter-overrides", "DynamoDbBatchStatements=false", *overrides),
        ],
        environment,
        cwd=built,
    )


def outputs(environment: dict[str, str]) -> dict[str, str]:
    [stack] = aws(environment, "cloudformation", "describe-stacks", "--stack-name", NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_sam_deploys_updates_with_a_changed_parameter_and_deletes_all_but_the_tables(
    emulator: Emulator, environment: dict[str, str], built: Path
) -> None:
    aws(environment, "s3api", "create-bucket", "--bucket", "artifacts")

    deploy(environment, built)
    first = outputs(environment)
    deploy(environment, built, "MaxSessionsPerCustomer=3")
    second = outputs(environment)
    function = aws(
        environment, *("lambda", "get-function-configuration"), "--function-name", second["StreamProjectorFunctionName"]
    )
    run([str(TOOLS / "sam"), "delete", "--stack-name", NAME, "--no-prompts", "--region", "us-east-1"], environment)
    tables = aws(environment, "dynamodb", "list-tables")["TableNames"]

    assert first["SessionsTableName"] == second["SessionsTableName"], "an update keeps the tables"
    assert function["Environment"]["Variables"]["MAX_SESSIONS_PER_CUSTOMER"] == "3"
    assert {first["SessionsTableName"], first["ProjectionsTableName"]} <= set(tables), "tables outlive the stack"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """The stack that the pages are about."""
    with LocalStack("session-events") as running:
        yield running


class ContainerEngine(BaseHTTPRequestHandler):
    """What SAM takes for Docker: it has every image, starts no container, and keeps what it was asked to start."""

    created: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        self._answer({"ApiVersion": "1.44", "Id": "sha256:1", "Architecture": "arm64", "Os": "linux"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/containers/create"):
            self.created.append(json.loads(body))
        self._answer({"message": "no container is started here"}, status=500)

    def _answer(self, document: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # its name in the base class
        """Say nothing."""


@pytest.fixture
def containers() -> Iterator[str]:
    """The address of a container engine that starts nothing."""
    ContainerEngine.created.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), ContainerEngine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_sam_makes_events_and_finds_functions_and_their_environment_as_far_as_it_needs_no_container(
    tmp_path: Path, stack: LocalStack, containers: str
) -> None:
    """`sam local invoke` goes on until the container is to be made, which is asked for with all that it needs."""
    environment = settings_of(stack.endpoint, stack.region) | {"DOCKER_HOST": containers}
    event = json.loads(run([str(TOOLS / "sam"), *["local", "generate-event", "sqs", "receive-message"]], environment))
    (tmp_path / "event.json").write_text(json.dumps(event))
    write_env_vars(tmp_path / "env.json", stack.functions(), stack.endpoint, "host.docker.internal")

    def invoke(function: str) -> str:
        command = [
            *(str(TOOLS / "sam"), "local", "invoke", function, "--template", str(ROOT / "template.yaml")),
            *("--event", "event.json", "--env-vars", "env.json", "--skip-pull-image"),
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)  # noqa: S603 # ours
        assert done.returncode != 0
        return done.stderr

    stopped_at, unknown = invoke("SqsConsumerFunction"), invoke("NoSuchFunction")

    [asked] = ContainerEngine.created
    variables = dict(text.split("=", 1) for text in asked["Env"])
    port = stack.endpoint.rpartition(":")[2]
    assert event["Records"][0]["eventSource"] == "aws:sqs"
    assert "no container is started here" in stopped_at
    assert variables["AWS_LAMBDA_FUNCTION_HANDLER"] == "processors.sqs_consumer.lambda_handler"
    assert variables["SESSIONS_TABLE"] == stack.outputs["SessionsTableName"]
    assert variables["AWS_ENDPOINT_URL_DYNAMODB"] == f"http://host.docker.internal:{port}"
    assert "Function NoSuchFunction not found in template" in unknown


LACKING = {
    "aws schemas": "there is no schema registry",
    "examples/publisher.yaml": "CloudFormation knows no policy of a bus; test_security_examples.py evaluates it",
}
ELSEWHERE = {"operations.md": "test_drill.py runs each of its commands", "publishing.md": "has a test of its own"}


def run_script(stack: LocalStack, script: str, folder: Path) -> None:
    table = stack.outputs["SessionsTableName"]
    environment = settings_of(stack.endpoint, stack.region) | {"SESSIONS_TABLE": table, "TABLE": table}
    environment["PATH"] = f"{TOOLS}:{environment['PATH']}"
    # version 1 of the AWS CLI ignores the variable for SQS, as the guide says
    run(
        ["bash", "-c", "set -eo pipefail\n" + script.replace("aws ", 'aws --endpoint-url "$AWS_ENDPOINT_URL" ')],
        environment,
        cwd=folder,
    )


def blocks_with_aws(page: str) -> list[str]:
    """The blocks of a page that call the AWS CLI, but for what the emulator lacks."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "aws " in block and not any(lacking in block for lacking in LACKING)]


PAGES = sorted(page.name for page in (ROOT / "docs").glob("*.md") if blocks_with_aws(page.name))
PROGRAMS = [name for name in ("jq", "curl", "unzip") if shutil.which(name) is None]


def test_the_aws_clis_commands_of_the_publishing_guide_work_as_printed(tmp_path: Path, stack: LocalStack) -> None:
    guide = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
    now = format_rfc3339(datetime.now(UTC))
    for name, text in re.findall(r"`(\w+\.json)`.*?```json[^\n]*\n(.*?)```", guide, re.DOTALL):
        (tmp_path / name).write_text(re.sub(r"2026-03-01T[\d:.]+Z", now, text))
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    stack.client("iam").create_role(RoleName="my-identity-service", AssumeRolePolicyDocument=policy)

    run_script(stack, "\n".join(blocks_with_aws("publishing.md")), tmp_path)

    eventually("the events of the guide are in the register", lambda: sessionctl(stack, "audit")["session_items"])


@pytest.mark.skipif(bool(PROGRAMS), reason=f"the pages use programs that are not here: {', '.join(PROGRAMS)}")
@pytest.mark.parametrize("page", sorted(set(PAGES) - set(ELSEWHERE)))
def test_the_aws_clis_commands_of_every_other_page_work_as_printed(
    tmp_path: Path, stack: LocalStack, page: str
) -> None:
    [defines_output] = re.findall(
        r"^output\(\).*?^}$", "\n".join(blocks_with_aws("publishing.md")), re.MULTILINE | re.DOTALL
    )
    script = "\n".join(blocks_with_aws(page)).replace('eval "$(.venv/bin/sessionctl env)"\n', "")

    run_script(stack, f"{defines_output}\n{script.replace(' TABLE ', ' $TABLE ')}", tmp_path)
