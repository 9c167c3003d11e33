"""`samkat serve` runs the intake service where it has a port, and otherwise does not."""

from __future__ import annotations

from pathlib import Path

from config.settings import Settings
from deployments.serve import children


def names(home: Path, port: int | None, *, watches: bool = True) -> list[str]:
    settings = Settings(home=home, intake_port=port)
    return [each.name for each in children(settings, {}, watches=watches, limit=1)]


def test_the_intake_service_runs_where_it_has_a_port(tmp_path: Path) -> None:
    assert names(tmp_path, None) == ["worker", "watcher"]
    assert names(tmp_path, 8010) == ["worker", "watcher", "intake"]
    assert names(tmp_path, 8010, watches=False) == ["worker", "intake"]
