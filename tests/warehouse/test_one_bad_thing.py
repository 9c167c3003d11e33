"""One bad thing stays one bad thing: a record, a file, a delivery stops no other, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from deployments.sample.encoding import RECORD_END, iso2709
from schemas.errors import SamkatError
from schemas.marc import Field, data_field
from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_record
from tasks.catalogue import stages as catalogue
from tasks.landing.stages import receive
from tasks.quality.stages import prove_conservation, summarise
from tasks.workplace import Workplace
from tests.warehouse.parcels import Parcel, book, file_name
from tests.warehouse.pipeline import TO_THE_SHELVES, ingest, land, ledger

RECORDS = 50


def test_of_fifty_records_with_one_cut_short_49_come_in_and_one_is_kept_with_its_place(place: Workplace) -> None:
    parcel = Parcel()
    for serial in range(RECORDS // 2):
        parcel.bib(book(serial), f"N{serial}").holding("SOLB")
    pieces = [iso2709(each) for each in parcel.pieces]
    cut = pieces[10] = pieces[10][:180] + RECORD_END
    content = b"".join(pieces)
    (delivery,) = ingest("NORDBOK", [land(place, "NORDBOK", file_name("NORDBOK"), content)])
    row = ledger(place.warehouse, delivery)
    assert (row.state, row.records_read, row.records_unreadable) == (DeliveryState.SETTLED, 49, 1)
    # The holding behind the cut bib must not hang on the bib before.
    assert (row.bibs_created, row.holdings_created, row.holdings_rejected) == (24, 24, 1)
    with place.warehouse.read() as connection:
        kept = connection.execute(sa.select(raw_record).where(raw_record.c.record_type == "unreadable")).one()
    assert (kept.position, kept.byte_offset, bytes(kept.content)) == (11, len(b"".join(pieces[:10])), cut)
    assert content[kept.byte_offset :].startswith(bytes(kept.content))
    assert "cut short: the leader announces" in kept.reason


def test_nul_and_control_characters_reach_no_text_of_the_warehouse(place: Workplace) -> None:
    dirty = data_field("500", "  ", [("a", "Not\x00 med\x00 noll\x01")])
    parcel = Parcel().bib(book(1, title="Titel\x00 med\x00 noll", author="Alm\x00, Bo"), "N\x001", extra=(dirty,))
    parcel.holding("SOLB", "Hc\x00.02").bib(book(2, numbers=()), "N2", extra=(_isbn("978-91\x00-0012345-1"),))
    (delivery,) = ingest("NORDBOK", [parcel.land(place)])
    row = ledger(place.warehouse, delivery)
    assert (row.state, row.bibs_created, row.holdings_created) == (DeliveryState.SETTLED, 2, 1)
    with place.warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT title FROM out_bib ORDER BY bib_id").scalars().first() is not None
        (piece,) = connection.execute(sa.select(raw_record.c.content).where(raw_record.c.position == 1)).scalars()
        texts = [
            str(value)
            for view in ("out_bib", "out_bib_isbn", "out_holding_line", "out_record")
            for found in connection.exec_driver_sql(f"SELECT * FROM {view}")
            for value in found
        ]
    assert bytes(piece).count(b"\x00") >= 5  # as they came
    assert not any("\x00" in text for text in texts)


def _isbn(text: str) -> Field:
    return data_field("020", "  ", [("a", text)])


def three(place: Workplace) -> list[str]:
    return [Parcel().bib(book(serial), f"N{serial}").holding("SOLB").land(place, serial) for serial in (1, 2, 3)]


def test_a_delivery_that_fails_in_a_stage_stops_no_other_and_the_run_says_so(place: Workplace) -> None:
    deliveries = receive.fn("NORDBOK", three(place))
    lost = ledger(place.warehouse, deliveries[1])
    archived = Path(place.zone.root) / place.zone.key_of(lost.uri)  # type: ignore[attr-defined]
    content = archived.read_bytes()
    archived.unlink()
    for stage in TO_THE_SHELVES:
        stage(deliveries)
    rows = [ledger(place.warehouse, each) for each in deliveries]
    assert [row.state for row in rows] == [DeliveryState.SETTLED, DeliveryState.RECEIVED, DeliveryState.SETTLED]
    assert rows[1].hold_reason.startswith("stopped by an error: ")
    with pytest.raises(SamkatError, match="its original is no longer in the landing zone"):
        summarise.fn("NORDBOK", deliveries)
    archived.write_bytes(content)
    ingest("NORDBOK")
    row = ledger(place.warehouse, deliveries[1])
    assert (row.state, row.hold_reason, row.bibs_created) == (DeliveryState.SETTLED, None, 1)


def test_a_delivery_that_does_not_add_up_is_not_settled_and_its_neighbours_are(place: Workplace) -> None:
    deliveries = receive.fn("NORDBOK", three(place))
    for stage in TO_THE_SHELVES[:-2]:
        stage(deliveries)
    with place.warehouse.write() as connection:
        lost = sa.delete(core_outcome).where(
            core_outcome.c.delivery_id == deliveries[0], core_outcome.c.record_type == "holding"
        )
        assert connection.execute(lost).rowcount == 1
    assert prove_conservation.fn(deliveries)["stopped"] == 1
    catalogue.settle.fn(deliveries)
    rows = [ledger(place.warehouse, each) for each in deliveries]
    assert [row.state for row in rows] == [DeliveryState.LOADED, DeliveryState.SETTLED, DeliveryState.SETTLED]
    assert "record 2 (holding) has no outcome" in rows[0].hold_reason
    with pytest.raises(SamkatError, match="record 2"):
        summarise.fn("NORDBOK", deliveries)


def test_a_file_that_cannot_be_received_stays_and_stops_no_other(place: Workplace) -> None:
    first, second, third = three(place)
    gone = first.replace("_dagfil", "_finns-inte")
    deliveries = receive.fn("NORDBOK", [gone, first, second, third])
    assert len(deliveries) == 3
    with pytest.raises(SamkatError, match="is not in the landing zone"):
        receive.fn("NORDBOK", [gone])
    # Tried again after a passing fault: what was taken before is the same delivery.
    assert receive.fn("NORDBOK", [first, second, third]) == deliveries
