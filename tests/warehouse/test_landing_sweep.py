"""The sweep over a real landing zone: what is started for what waits, what was left on the way, and strays."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import SAMPLE_REGISTER
from schemas.outcomes import DeliveryState, PlanState
from schemas.warehouse.core import core_notice, core_plan
from schemas.warehouse.raw import raw_delivery, raw_stray
from tasks.landing.stages import look_for_work, receive
from tasks.notices.stages import report_strays
from tasks.warehouse.turns import turn
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import ingest


@pytest.fixture
def place(open_place: OpenPlace) -> Workplace:
    """A workplace that takes files at once."""
    return open_place(today="2025-03-14", stable_seconds=0)


def parcel(supplier: str = "NORDBOK", serial: int = 1) -> Parcel:
    return Parcel(supplier).bib(book(serial), f"N{serial}").holding("SOLB")


def strays(place: Workplace) -> list[tuple[str, str, bool]]:
    with place.warehouse.read() as connection:
        rows = connection.execute(sa.select(raw_stray).order_by(raw_stray.c.path))
        return [(row.path, row.reason, row.uri is not None) for row in rows]


def mails(place: Workplace) -> list[tuple[str, str]]:
    with place.warehouse.read() as connection:
        rows = connection.execute(sa.select(core_notice).where(core_notice.c.kind == "stray"))
        return [(row.recipient, row.body_text) for row in rows.all()]


def test_what_waits_is_started_once_a_supplier_and_nothing_is_left_to_start_afterwards(place: Workplace) -> None:
    uris = [parcel(serial=serial).land(place, serial) for serial in (2, 1)]
    (start,) = look_for_work.fn()
    assert (start.sender, start.uris) == ("NORDBOK", (uris[1], uris[0]))
    ingest(start.sender, start.uris)
    assert look_for_work.fn() == []


def test_nothing_is_started_for_a_supplier_whose_turn_is_taken(place: Workplace) -> None:
    parcel().land(place, 1)
    with turn(place.warehouse, "supplier:NORDBOK", "a run"):
        assert look_for_work.fn() == []
    assert [each.sender for each in look_for_work.fn()] == ["NORDBOK"]


def test_what_a_killed_run_left_is_taken_up_without_a_file(place: Workplace) -> None:
    (delivery_id,) = receive.fn("NORDBOK", [parcel().land(place, 1)])
    (start,) = look_for_work.fn()
    assert (start.sender, start.uris) == ("NORDBOK", ())
    assert ingest("NORDBOK") == [delivery_id]
    assert look_for_work.fn() == []


def test_a_held_delivery_is_taken_up_only_when_it_was_decided(place: Workplace) -> None:
    (delivery_id,) = receive.fn("NORDBOK", [parcel().land(place, 1)])
    with place.warehouse.write() as connection:
        connection.execute(sa.update(raw_delivery).values(state=DeliveryState.HELD, hold_reason="too few ISBNs"))
        connection.execute(
            sa.insert(core_plan).values(
                plan_id=1,
                plan_hash="ab" * 6,
                flow="supplier-ingest",
                scope="x",
                planned=1,
                population=2,
                limit=0.1,
                state=PlanState.HELD,
                reason="few",
                delivery_id=delivery_id,
                created_at=place.now,
                **{"class": "quality:isbn"},
            )
        )
    assert look_for_work.fn() == []
    with place.warehouse.write() as connection:
        connection.execute(sa.update(core_plan).values(state=PlanState.APPROVED))
    assert [each.sender for each in look_for_work.fn()] == ["NORDBOK"]


def test_an_unknown_senders_file_goes_to_quarantine_and_the_operator_hears_of_it_once(place: Workplace) -> None:
    place.zone.put("incoming/NOBODY/day.mrc", b"00000nam")
    root = place.zone.local_path(place.zone.uri_for("incoming/x"))
    assert root is not None
    (root.parent / "loose.mrc").write_bytes(b"00000nam")
    os.symlink("/etc/hostname", root.parent / "NORDBOK" / "link.mrc")
    assert dict(report_strays.fn()) == {"stray": 1, "strays": 3, "quarantined": 1}
    assert strays(place) == [
        ("NOBODY/day.mrc", "no sender has this code", True),
        ("NORDBOK/link.mrc", "is a symbolic link", False),
        ("loose.mrc", "lies outside every sender's folder", False),
    ]
    ((recipient, text),) = mails(place)
    assert recipient == place.register.catalogue.operator
    for word in ("NOBODY/day.mrc", "till karantän", "link.mrc", "ligger kvar", "loose.mrc", "Att göra:"):
        assert word in text, text
    assert sum(report_strays.fn().values()) == 0
    assert len(mails(place)) == 1
    quarantined = sorted(Path(place.settings.landing_url).glob("quarantine/NOBODY/unknown-sender/*"))
    assert [each.name.split("-", 1)[1] for each in quarantined] == ["day.mrc", "day.mrc.txt"]
    assert quarantined[0].read_bytes() == b"00000nam"
    assert "no sender has this code" in quarantined[1].read_text("utf-8")


def test_a_stray_that_was_entered_by_a_run_killed_before_the_move_is_moved_and_not_told_again(
    place: Workplace,
) -> None:
    uri = place.zone.put("incoming/NOBODY/day.mrc", b"00000nam")
    report_strays.fn()
    place.zone.move(place.zone.uri_for(_only_key(place)), "incoming/NOBODY/day.mrc")
    assert report_strays.fn() == {"quarantined": 1}
    assert not place.zone.exists(uri)
    assert len(mails(place)) == 1


def _only_key(place: Workplace) -> str:
    (file,) = Path(place.settings.landing_url).glob("quarantine/NOBODY/unknown-sender/*.mrc")
    return file.relative_to(place.settings.landing_url).as_posix()


def test_a_marker_goes_with_its_file_so_that_the_next_one_waits_for_its_own(
    open_place: OpenPlace, tmp_path: Path
) -> None:
    register = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    suppliers = (register / "suppliers.toml").read_text("utf-8")
    text = suppliers.replace('code = "NORDBOK"', 'code = "NORDBOK"\nfile.marker = ".done"')
    (register / "suppliers.toml").write_text(_without_table(text, "[supplier.file]", after='code = "NORDBOK"'), "utf-8")
    place = open_place(today="2025-03-14", register_folder=register)
    uri = parcel().land(place, 1)
    assert look_for_work.fn() == []
    place.zone.put(f"{place.zone.key_of(uri)}.done", b"")
    (start,) = look_for_work.fn()
    ingest(start.sender, start.uris)
    assert place.zone.waiting("NORDBOK") == []
    parcel(serial=2).land(place, 1)
    assert look_for_work.fn() == []


def _without_table(text: str, table: str, after: str) -> str:
    """The TOML text without the first `table` after the line `after`."""
    head, tail = text.split(after, 1)
    before, rest = tail.split(f"\n{table}\n", 1)
    kept = rest.splitlines()
    while kept and not kept[0].startswith("["):
        kept.pop(0)
    return "\n".join([head + after + before, *kept])
