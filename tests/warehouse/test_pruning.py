"""Old files that were made for people go after the register's days; what is needed, or was sent, stays."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.register.retention import Retention
from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tasks.landing.pruning import remove_old_files
from tasks.workplace import Workplace

NOW = datetime(2026, 3, 3, 5, tzinfo=UTC)
DAYS = Retention(rejects_days=90, reports_days=400, handed_days=7)


def written(place: Workplace, key: str, days_ago: float) -> str:
    """A file of the landing zone that was written so many days ago; returns its URI."""
    uri = place.zone.put(key, b"12345")
    path = place.zone.local_path(uri)
    assert path is not None
    at = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(path, (at, at))
    return uri


def left(place: Workplace) -> set[str]:
    root = Path(place.settings.landing_url)
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def seen(place: Workplace, delivery_id: int, uri: str, state: str) -> None:
    with place.warehouse.write() as connection:
        connection.execute(
            sa.insert(raw_delivery).values(
                delivery_id=delivery_id, kind="supplier", sender="NORDBOK", sha256=str(delivery_id), name="a.mrc",
                uri="file:///archive/a.mrc", bytes=1, state=state, received_at=NOW,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(raw_delivery_name).values(delivery_id=delivery_id, name="a.mrc", uri=uri, seen_at=NOW)
        )


def test_change_files_of_accounts_go_after_the_days_of_exports_and_other_exports_stay(place: Workplace) -> None:
    for key, days_ago in (
        ("exports/accounts-alma/accounts-alma-20251101-0a1b2c3d.xml", 91),
        ("exports/accounts-alma/accounts-alma-20251203-0a1b2c3d.xml", 89),
        ("exports/solberg/solberg.20251101.marc", 91),
    ):
        written(place, key, days_ago)
    counts = remove_old_files(place.warehouse, place.zone, Retention(exports_days=90), NOW)
    assert counts == {"exports files removed": 1, "bytes": 5}
    assert {each for each in left(place) if each.startswith("exports/")} == {
        "exports/accounts-alma/accounts-alma-20251203-0a1b2c3d.xml", "exports/solberg/solberg.20251101.marc",
    }  # fmt: skip


def test_what_is_older_than_its_days_goes_and_the_rest_stays(place: Workplace) -> None:
    for key, days_ago in (
        ("rejects/NORDBOK/1/records.mrc", 91),
        ("rejects/NORDBOK/1/list.txt", 91),
        ("rejects/NORDBOK/2/list.txt", 89),
        ("reports/overview/2025-01-01.html", 401),
        ("reports/overview/2025-02-01.html", 399),
        ("reports/overview/latest.html", 500),
        ("reports/worklist/worklist.html", 500),
        ("archive/NORDBOK/2020/01/01/0123456789ab-a.mrc", 2000),
        ("quarantine/NORDBOK/1/3.bin", 2000),
        ("incoming/NORDBOK/b.mrc", 2000),
        ("handed/NORDBOK/0123456789ab/a.mrc", 8),
        ("handed/NORDBOK/ba9876543210/b.mrc", 6),
    ):
        written(place, key, days_ago)
    counts = remove_old_files(place.warehouse, place.zone, DAYS, NOW)
    assert counts == {"rejects files removed": 2, "reports files removed": 1, "handed files removed": 1, "bytes": 20}
    assert left(place) == {
        "rejects/NORDBOK/2/list.txt",
        "reports/overview/2025-02-01.html",
        "reports/overview/latest.html",
        "reports/worklist/worklist.html",
        "archive/NORDBOK/2020/01/01/0123456789ab-a.mrc",
        "quarantine/NORDBOK/1/3.bin",
        "incoming/NORDBOK/b.mrc",
        "handed/NORDBOK/ba9876543210/b.mrc",
    }
    assert remove_old_files(place.warehouse, place.zone, DAYS, NOW) == {}


def test_the_folder_of_a_delivery_goes_with_its_last_file(place: Workplace) -> None:
    root = Path(place.settings.landing_url)
    written(place, "rejects/NORDBOK/1/list.txt", 100)
    written(place, "rejects/NORDBOK/2/list.txt", 100)
    written(place, "rejects/NORDBOK/2/errors.csv", 1)
    remove_old_files(place.warehouse, place.zone, DAYS, NOW)
    assert [path.name for path in sorted((root / "rejects" / "NORDBOK").iterdir())] == ["2"]


@pytest.mark.parametrize(("state", "stays"), [("received", True), ("held", True), ("settled", False)])
def test_a_handed_copy_stays_while_its_delivery_is_not_at_its_end(place: Workplace, state: str, stays: bool) -> None:
    uri = written(place, "handed/NORDBOK/0123456789ab/a.mrc", 30)
    seen(place, 1, uri, state)
    counts = remove_old_files(place.warehouse, place.zone, DAYS, NOW)
    assert (place.zone.exists(uri), bool(counts)) == (stays, not stays)
