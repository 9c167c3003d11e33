"""The program `samkat` as a person runs it: in a process of its own, with a home of its own, and with a clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMKAT = str(Path(sys.executable).with_name("samkat"))


@dataclass(frozen=True)
class Done:
    """A command that has ended. `wall_seconds` and `cpu_seconds` are those of its own process."""

    code: int
    out: str
    err: str
    wall_seconds: float
    cpu_seconds: float

    def document(self) -> dict[str, Any]:
        """What it said under --json."""
        return dict(json.loads(self.out))


def environment_of(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a person who has set nothing but a home, and `settings`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SAMKAT_"))}
    return {**kept, "SAMKAT_HOME": str(home), "SAMKAT_TODAY": "2025-03-14", **settings}


def samkat(environment: dict[str, str], *arguments: str) -> Done:
    """Run one command to its end, whatever its exit code."""
    return run([SAMKAT, *arguments], environment)


def run(command: Sequence[str], environment: dict[str, str], cwd: Path | None = None) -> Done:
    """Run a program to its end; files take its output, so that nobody has to read along."""
    folder = Path(environment["SAMKAT_HOME"]).parent
    out, err = folder / ".out", folder / ".err"
    with out.open("wb") as to_out, err.open("wb") as to_err:
        began = time.monotonic()
        process = subprocess.Popen(command, env=environment, cwd=cwd or folder, stdout=to_out, stderr=to_err)
        _, status, usage = os.wait4(process.pid, 0)
        lasted = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    used = usage.ru_utime + usage.ru_stime
    return Done(process.returncode, out.read_text("utf-8"), err.read_text("utf-8"), lasted, used)
