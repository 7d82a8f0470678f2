"""`python -m ops.sessionctl`."""

from ops.sessionctl.app import main

if __name__ == "__main__":
    main()
