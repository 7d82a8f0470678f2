"""checkov, as `make validate` runs it."""

import json
import os
import subprocess
from pathlib import Path

from ops.validation.checks import ALL_ON
from ops.validation.resolution import resolved
from tests.deploy.conftest import ROOT

CHECKOV = Path(os.environ.get("CHECKOV_VENV", ROOT / ".venv-checkov")).absolute() / "bin" / "checkov"


def test_checkov_refuses_what_is_open_or_not_encrypted(tmp_path: Path) -> None:
    resources = resolved(ALL_ON)
    resources["ArchiveBucket"]["Properties"]["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] = False
    resources["SessionEventsQueue"]["Properties"].pop("KmsMasterKeyId")
    template = tmp_path / "template.json"
    template.write_text(json.dumps({"Resources": resources}))

    command = [str(CHECKOV), "--config-file", ".checkov.yaml", "--file", str(template)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 # ours

    assert done.returncode == 1, done.stderr
    assert "Failed checks: 2" in done.stdout
