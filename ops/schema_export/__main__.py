"""Runs the export: `python -m ops.schema_export`."""

import sys

from ops.schema_export.export import main

sys.exit(main())
