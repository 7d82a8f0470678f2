"""`python -m ops.demo`."""

import sys

from ops.demo.command import main

if __name__ == "__main__":
    sys.exit(main())
