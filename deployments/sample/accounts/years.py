"""The files of two years, in the order in which they came."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from deployments.sample.accounts.people import Staff, ordinary
from deployments.sample.accounts.scenes import LEGIMUS_FILES, OTHER_FILES, REQUESTS

FIRST, LAST = date(2023, 3, 1), date(2025, 3, 1)
A_MONTH = 3
"""New accounts a month, beside those of the scenes."""


class AccountFile(NamedTuple):
    """A file about accounts, and the day on which it came."""

    day: date
    system: str
    kind: str
    text: str

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.system}-{self.kind}-{self.day:%Y%m%d}.csv"


def account_years(seed: int = 1, a_month: int = A_MONTH) -> list[AccountFile]:
    """Every file about accounts of the two years before the sample night, the oldest first."""
    rng = random.Random(seed)
    files = [AccountFile(day, "alma", "accounts", _csv(staff)) for day, staff in REQUESTS.items()]
    files += [AccountFile(day, "alma", kind, text) for day, rows in OTHER_FILES.items() for kind, text in rows]
    files += [AccountFile(day, "legimus", kind, text) for day, rows in LEGIMUS_FILES.items() for kind, text in rows]
    files += [AccountFile(day, "alma", "accounts", _csv(ordinary(day, a_month, rng))) for day in _months()]
    # A request comes before what is said of its account on the same day.
    return sorted(files, key=lambda each: (each.day, each.kind != "accounts"))


def write_account_years(folder: Path, seed: int = 1) -> list[Path]:
    """Write them as `folder/YYYY-MM-DD/NAME`."""
    written = []
    for file in account_years(seed):
        path = folder / file.day.isoformat() / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
        written.append(path)
    return written


def _months() -> Iterator[date]:
    day = FIRST
    while day <= LAST:
        yield day
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _csv(staff: Iterable[Staff]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(Staff._fields)
    writer.writerows(staff)
    return stream.getvalue()
