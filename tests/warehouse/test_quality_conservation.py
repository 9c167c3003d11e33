"""Conservation: what is proved of a loaded delivery, and every way in which the proof fails, on both engines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.errors import ConservationError
from schemas.outcomes import BibOutcome, HoldingOutcome
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery, raw_member, raw_record
from schemas.warehouse.stage import stage_holding
from tasks.quality import conservation
from tasks.quality.conservation import Conservation, prove
from tasks.quality.stored_counts import prove_and_count
from tasks.warehouse.engine import Warehouse
from tests.warehouse.quality_samples import add_outcome, bib, give_outcomes, holding, stage, unreadable

PIECES = [bib(embedded=["SOLB", "LUNV", "ZZ"]), bib(), holding("SOLB"), unreadable(), bib(embedded=["SOLB"])]
"""Positions 1 to 5: 3 bibs, 1 holding record, 1 unreadable piece, 4 embedded holdings."""

outcome = core_outcome.c


def loaded(warehouse: Warehouse, name: str = "day.mrc") -> int:
    delivery_id = stage(warehouse, PIECES, name)
    give_outcomes(warehouse, delivery_id)
    return delivery_id


def proof(warehouse: Warehouse, delivery_id: int) -> Conservation:
    with warehouse.read() as connection:
        return prove(connection, delivery_id)


def change(warehouse: Warehouse, statement: sa.Executable) -> None:
    with warehouse.write() as connection:
        assert connection.execute(statement).rowcount == 1


def forget_staging(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        connection.execute(sa.delete(stage_holding))


def test_a_loaded_delivery_adds_up(warehouse: Warehouse) -> None:
    found = proof(warehouse, loaded(warehouse))
    assert found.equations() == (
        "pieces 5 = bib records 3 + holding records 1 + unreadable 1",
        "bibs_read 3 = created 3 + replaced 0 + kept 0 + review 0 + rejected 0",
        "holdings_read 5 = created 5 + updated 0 + unchanged 0 + deleted 0 + waiting 0 + refused 0 + rejected 0",
    )
    assert found.embedded_holdings == 4


def test_it_still_adds_up_when_the_working_set_is_gone(warehouse: Warehouse) -> None:
    delivery_id = loaded(warehouse)
    before = proof(warehouse, delivery_id)
    forget_staging(warehouse)
    assert proof(warehouse, delivery_id) == before


def test_a_delivery_without_a_single_record_adds_up(warehouse: Warehouse) -> None:
    assert proof(warehouse, stage(warehouse, [])).pieces == 0
    assert proof(warehouse, stage(warehouse, [unreadable()], "bad.mrc")).unreadable == 1


def test_an_unreadable_piece_may_have_an_outcome_of_its_own_type(warehouse: Warehouse) -> None:
    delivery_id = loaded(warehouse)
    with warehouse.write() as connection:
        add_outcome(connection, delivery_id, 4, 0, "unreadable", "unreadable")
    assert proof(warehouse, delivery_id).unreadable == 1


def test_counts_are_of_the_latest_outcome(warehouse: Warehouse) -> None:
    delivery_id = loaded(warehouse)
    change(warehouse, sa.update(core_outcome).where(outcome.position == 2).values(outcome="review", is_latest=False))
    with warehouse.write() as connection:
        add_outcome(connection, delivery_id, 2, outcome="kept", seq=2)
    assert dict(proof(warehouse, delivery_id).bibs) == {
        "created": 2, "replaced": 0, "kept": 1, "review": 0, "rejected": 0,
    }  # fmt: skip


def test_a_large_delivery_is_proved_in_parts_to_the_same_figures(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery_id = loaded(warehouse)
    whole = proof(warehouse, delivery_id)
    monkeypatch.setattr(conservation, "COUNTED_AT_ONCE", 2)
    assert proof(warehouse, delivery_id) == whole
    with warehouse.write() as connection:
        add_outcome(connection, delivery_id, 99, 0)
    with pytest.raises(ConservationError, match="there is an outcome for record 99, but no such record"):
        proof(warehouse, delivery_id)
    change(warehouse, sa.delete(core_outcome).where(outcome.position == 99))
    change(warehouse, sa.delete(core_outcome).where(outcome.position == 5, outcome.part == 1))
    with pytest.raises(ConservationError, match="record 5 "):
        proof(warehouse, delivery_id)


def test_other_deliveries_do_not_matter(warehouse: Warehouse) -> None:
    other = loaded(warehouse, "other.mrc")
    delivery_id = loaded(warehouse)
    change(warehouse, sa.delete(core_outcome).where(outcome.delivery_id == other, outcome.position == 2))
    assert proof(warehouse, delivery_id).bibs_read == 3


Fault = Callable[[sa.Connection, int], object]


def lost_bib(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(sa.delete(core_outcome).where(outcome.position == 2))


def lost_holding_record(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(sa.delete(core_outcome).where(outcome.position == 3))


def lost_embedded(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(sa.delete(core_outcome).where(outcome.position == 1, outcome.part == 3))


def gap_in_embedded(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(sa.update(core_outcome).where(outcome.position == 1, outcome.part == 3).values(part=4))


def own_outcome_lost(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(sa.delete(core_outcome).where(outcome.position == 5, outcome.part == 0))


def twice_the_latest(connection: sa.Connection, delivery_id: int) -> None:
    add_outcome(connection, delivery_id, 2, outcome="kept", seq=2)


def none_is_latest(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(sa.update(core_outcome).where(outcome.position == 2).values(is_latest=False))


def latest_is_not_last(connection: sa.Connection, delivery_id: int) -> None:
    add_outcome(connection, delivery_id, 2, outcome="kept", seq=2, is_latest=False)


def outcome_without_record(connection: sa.Connection, delivery_id: int) -> None:
    add_outcome(connection, delivery_id, 99)


def lost_and_invented(connection: sa.Connection, delivery_id: int) -> None:
    lost_bib(connection, delivery_id)
    outcome_without_record(connection, delivery_id)


def of_another_type(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(sa.update(core_outcome).where(outcome.position == 2).values(record_type="holding"))


def types_swapped(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(sa.update(core_outcome).where(outcome.position == 2).values(record_type="holding"))
    connection.execute(sa.update(core_outcome).where(outcome.position == 3).values(record_type="bib"))


def moved_between_bibs(connection: sa.Connection, delivery_id: int) -> None:
    connection.execute(
        sa.update(core_outcome).where(outcome.position == 1, outcome.part == 3).values(position=5, part=2)
    )


@pytest.mark.parametrize(
    ("fault", "position", "words"),
    [
        (lost_bib, 2, "bibs_read 3 is not created 2 .*record 2 (bib) has no outcome"),
        (lost_holding_record, 3, "holdings_read 5 is not created 4 .*record 3 (holding) has no outcome"),
        (lost_embedded, 1, "holdings_read 5 is not .*record 1 (bib) has 3 embedded holdings, but outcomes for 2"),
        (gap_in_embedded, 1, "the totals agree, the records do not: .*record 1 (bib)"),
        (own_outcome_lost, 5, "bibs_read 3 is not .*record 5 (bib) has not exactly one outcome of its own type"),
        (twice_the_latest, 2, "bibs_read 3 is not created 3 .*record 2, part 0 has 2 latest outcomes"),
        (none_is_latest, 2, "record 2 (bib) has no outcome"),
        (latest_is_not_last, 2, "the totals agree.*the latest outcome of record 2, part 0 is not its last one"),
        (outcome_without_record, 99, "bibs_read 3 is not .*an outcome for record 99, but no such record"),
        (lost_and_invented, 2, "the totals agree.*record 2 (bib) has no outcome; there is an outcome for record 99"),
        (of_another_type, 2, "record 2 (bib) has not exactly one outcome of its own type"),
        (types_swapped, 2, "the totals agree.*record 2 (bib).*record 3 (holding)"),
        (moved_between_bibs, 1, "the totals agree.*record 1 (bib) has 3 .* for 2; record 5 (bib) has 1 .* for 2"),
    ],
)
def test_each_way_of_losing_a_record_is_found_and_named(
    warehouse: Warehouse, fault: Fault, position: int, words: str
) -> None:
    delivery_id = loaded(warehouse)
    with warehouse.write() as connection:
        fault(connection, delivery_id)
    with pytest.raises(ConservationError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
        proof(warehouse, delivery_id)
    assert (caught.value.file, caught.value.position) == ("day.mrc", position)


def test_a_lost_embedded_holding_is_found_after_the_working_set_is_gone(warehouse: Warehouse) -> None:
    delivery_id = loaded(warehouse)
    forget_staging(warehouse)
    with warehouse.write() as connection:
        lost_embedded(connection, delivery_id)
    with pytest.raises(ConservationError, match="holdings_read 5 is not created 4"):
        proof(warehouse, delivery_id)


def test_a_piece_that_was_not_stored_is_found(warehouse: Warehouse) -> None:
    delivery_id = loaded(warehouse)
    change(warehouse, sa.delete(raw_record).where(raw_record.c.position == 4))
    with pytest.raises(
        ConservationError,
        match=r"day\.mrc: the reader counted 5 pieces, but bib records 3 \+ holding records 1 \+ unreadable 0 = 4",
    ):
        proof(warehouse, delivery_id)


def test_the_pieces_of_each_member_are_compared(warehouse: Warehouse) -> None:
    delivery_id = loaded(warehouse)
    change(warehouse, sa.update(raw_record).where(raw_record.c.position == 4).values(member_no=1))
    change(warehouse, sa.update(raw_member).values(pieces=4))
    with pytest.raises(ConservationError, match=r"day\.mrc \(member 1\): the reader counted 0 pieces"):
        proof(warehouse, delivery_id)


def test_an_outcome_outside_the_vocabulary_is_found(warehouse: Warehouse) -> None:
    delivery_id = loaded(warehouse)
    change(warehouse, sa.update(core_outcome).where(outcome.position == 2).values(outcome="unchanged"))
    with pytest.raises(ConservationError, match="not in the vocabulary: bib 'unchanged' 1 times"):
        proof(warehouse, delivery_id)


# Stored counts


def stored(warehouse: Warehouse, delivery_id: int) -> dict[str, int]:
    with warehouse.read() as connection:
        row = connection.execute(sa.select(raw_delivery).where(raw_delivery.c.delivery_id == delivery_id)).one()
    kinds = ("records_", "bibs_", "holdings_")
    return {name: number for name, number in row._mapping.items() if name.startswith(kinds) and number}


def test_the_stored_counts_are_those_that_were_proved(warehouse: Warehouse) -> None:
    delivery_id, other = loaded(warehouse), loaded(warehouse, "other.mrc")
    with warehouse.write() as connection:
        connection.execute(
            sa.update(core_outcome)
            .where(outcome.delivery_id == delivery_id, outcome.position == 1, outcome.part == 2)
            .values(outcome=HoldingOutcome.REFUSED)
        )
        connection.execute(
            sa.update(core_outcome)
            .where(outcome.delivery_id == delivery_id, outcome.position == 2)
            .values(outcome=BibOutcome.REVIEW)
        )
        prove_and_count(connection, [delivery_id])
    assert stored(warehouse, delivery_id) == {
        "records_read": 4, "records_unreadable": 1, "bibs_read": 3, "bibs_created": 2, "bibs_review": 1,
        "holdings_read": 5, "holdings_created": 4, "holdings_refused": 1,
    }  # fmt: skip
    assert stored(warehouse, other) == {}


def test_several_deliveries_are_counted_at_once_and_again(warehouse: Warehouse) -> None:
    first, second, empty = loaded(warehouse), loaded(warehouse, "2.mrc"), stage(warehouse, [], "3.mrc")
    with warehouse.write() as connection:
        prove_and_count(connection, [first, second, empty])
        prove_and_count(connection, [first, second, empty])
    assert stored(warehouse, first) == stored(warehouse, second)
    assert stored(warehouse, first)["holdings_created"] == 5
    assert stored(warehouse, empty) == {}
