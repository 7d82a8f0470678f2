"""The bill of materials of a package, and its licences."""

import json
from pathlib import Path

import pytest

from ops.packaging.bill_of_materials import bill_of_materials, licences
from ops.packaging.package import BuildError
from ops.packaging.report import report


def ship(package: Path, name: str, *metadata: str, text: str | None = "As you like.") -> None:
    """Put a distribution's metadata into a package."""
    info = package / f"{name.replace('-', '_')}-1.0.dist-info"
    (info / "licenses").mkdir(parents=True)
    lines = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *metadata]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    if text is not None:
        (info / "licenses" / "LICENSE").write_text(text)


def test_the_bill_names_each_distribution_its_licence_and_what_it_needs_on_lambda(tmp_path: Path) -> None:
    elsewhere = "Requires-Dist: third-one; sys_platform == 'win32'"
    optional = "Requires-Dist: third-one; extra == 'all'"
    ship(tmp_path, "Pydantic", "License-Expression: MIT", "Requires-Dist: other.one>=1", elsewhere, optional)
    ship(tmp_path, "other-one", "License: BSD-3-Clause")
    ship(tmp_path, "third-one", "License-Expression: MIT OR Apache-2.0")

    bill = json.loads(bill_of_materials(tmp_path, "abc"))

    assert [(one["purl"], one["licenses"]) for one in bill["components"]] == [
        ("pkg:pypi/other-one@1.0", [{"license": {"id": "BSD-3-Clause"}}]),
        ("pkg:pypi/pydantic@1.0", [{"license": {"id": "MIT"}}]),
        ("pkg:pypi/third-one@1.0", [{"expression": "MIT OR Apache-2.0"}]),
    ]
    needed = {entry["ref"]: entry.get("dependsOn") for entry in bill["dependencies"]}
    assert needed["pydantic==1.0"] == ["other-one==1.0"]
    assert needed["session-event-processor"] == ["pydantic==1.0"]


def test_the_bill_is_the_same_for_the_same_package_and_another_for_another(tmp_path: Path) -> None:
    ship(tmp_path, "pydantic", "License-Expression: MIT")

    bills = [bill_of_materials(tmp_path, digest) for digest in ("abc", "abc", "abd")]

    assert bills[0] == bills[1] != bills[2]
    assert json.loads(bills[0])["serialNumber"] != json.loads(bills[2])["serialNumber"]


def test_the_licences_stand_with_the_name_of_what_they_are_of(tmp_path: Path) -> None:
    ship(tmp_path, "one", "License-Expression: MIT", text="Do with one what you like.")
    ship(tmp_path, "other", "License: BSD-3-Clause", text=None)
    (tmp_path / "other-1.0.dist-info" / "LICENCE.txt").write_text("Do with the other what you like.")

    text = licences(tmp_path)

    assert text.index("one 1.0: MIT") < text.index("Do with one") < text.index("other 1.0: BSD-3-Clause")
    assert text.index("other 1.0: BSD-3-Clause") < text.index("Do with the other")


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [((), "'none', is not SPDX's"), (("License: see the website",), "'see the website', is not SPDX's")],
)
def test_a_distribution_of_unknown_licence_is_not_shipped(
    metadata: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    ship(tmp_path, "strange", *metadata)

    with pytest.raises(BuildError, match=f"strange 1.0: its licence, {problem}"):
        bill_of_materials(tmp_path, "abc")


def test_a_licence_without_its_text_is_not_shipped(tmp_path: Path) -> None:
    ship(tmp_path, "silent", "License-Expression: MIT", text=None)

    with pytest.raises(BuildError, match=r"silent 1\.0 brings no text"):
        licences(tmp_path)


def test_a_package_that_holds_nothing_of_others_was_not_built(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="holds no distribution: run make build"):
        bill_of_materials(tmp_path, "abc")


def test_functions_whose_packages_differ_are_no_build(tmp_path: Path) -> None:
    for name in ("OneFunction", "OtherFunction"):
        ship(tmp_path / "build" / name, "one", "License-Expression: MIT", text=f"Of {name}.")

    with pytest.raises(BuildError, match=r"should be the same and differ(.|\n)*OneFunction(.|\n)*OtherFunction"):
        report(tmp_path / "build")

    assert not (tmp_path / "bundle.cdx.json").exists()
