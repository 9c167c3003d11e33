"""Fixtures of the pipeline's tests: a home with a migrated warehouse and a landing zone, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from config.settings import variable_of
from tasks.workplace import Workplace, workplace

OpenHome = Callable[..., Workplace]
OpenPlace = Callable[..., Workplace]


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenHome]:
    """Opens a workplace: `open_home(url, home, chunk_records=3, today=...)`.

    The environment is set as well, because the stages open the workplace by themselves. Opening again with other
    settings is another workplace over the same warehouse and home.
    """
    opened: list[Workplace] = []

    def open_it(url: str, home: Path, **settings: object) -> Workplace:
        monkeypatch.setenv("SAMKAT_HOME", str(home))
        monkeypatch.setenv("SAMKAT_WAREHOUSE_URL", url)
        for name, value in settings.items():
            monkeypatch.setenv(variable_of(name), str(value))
        place = workplace()
        place.zone.prepare([supplier.code for supplier in place.register.suppliers])
        opened.append(place)
        return place

    yield open_it
    for place in opened:
        place.warehouse.dispose()


@pytest.fixture
def open_place(open_home: OpenHome, warehouse_url: str, tmp_path: Path) -> OpenPlace:
    """Opens the workplace of this test, on this test's engine: `open_place(chunk_records=3, today=...)`."""
    return partial(open_home, warehouse_url, tmp_path / "home")


@pytest.fixture
def place(open_place: OpenPlace) -> Workplace:
    """The workplace on the day of the sample night."""
    return open_place(today="2025-03-14")
