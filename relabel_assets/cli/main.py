"""The entry point of `relabel`: the commands (app.py) under a supervisor (supervisor.py).

What belongs here: that one call. What does not: anything that takes time to import, because Ctrl-C before
the supervisor is there would print a traceback of Python.
"""

import sys

from relabel_assets.cli.supervisor import supervised


def main() -> None:
    """Run the command of sys.argv, and exit with its code."""
    sys.exit(supervised(_work))


def _work() -> int:
    from relabel_assets.cli.app import run_command

    return run_command()


if __name__ == "__main__":
    main()
