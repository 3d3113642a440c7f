"""Starts the whole suite in the foreground: `python -m deploy.local`, which is what `make run` does.

`python -m deploy.local exec SERVICE ARGUMENTS...` runs `python ARGUMENTS` with the settings of one
service of the running suite, for example its command line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chassis.embedded.process import ServerFailed
from deploy.local.plan import Plan, PlanError
from deploy.local.suite import Suite, SuiteError


def main() -> None:
    """Runs the suite, or one command in its environment."""
    arguments = sys.argv[1:]
    try:
        suite = Suite(Plan.of(os.environ))
        if arguments[:1] == ["exec"] and len(arguments) > 2:
            execute(suite, arguments[1], arguments[2:])
        elif arguments:
            sys.exit(__doc__)
        else:
            suite.run()
    except (PlanError, SuiteError, ServerFailed) as problem:
        sys.exit(f"cannot run: {problem}")


def execute(suite: Suite, service: str, arguments: list[str]) -> None:
    """Becomes `python ARGUMENTS` in the environment of a service."""
    os.chdir(Path(__file__).resolve().parents[2])
    os.execve(sys.executable, [sys.executable, *arguments], suite.environ(service))  # noqa: S606


if __name__ == "__main__":
    main()
