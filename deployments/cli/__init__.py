"""The command line: each command runs one flow or reads one view. What is here is imported by every command."""

from __future__ import annotations


def main() -> None:
    """The entry point `samkat`: run a command and end the process with its exit code."""
    import sys

    from deployments.cli.app import run

    sys.exit(run(sys.argv[1:]))
