"""A delivery matched range by range: who has no candidate leaves no row, and two processes judge as one."""

from __future__ import annotations

import resource

import pytest
import sqlalchemy as sa

from schemas.warehouse.stage import stage_bib, stage_match, stage_verdict
from tasks.catalogue.stages import stage_records
from tasks.landing.stages import receive
from tasks.matching import judging
from tasks.workplace import Workplace
from tests.warehouse.parcels import Export, Parcel, book

KNOWN, NEW = 6, 3


@pytest.fixture
def delivery(place: Workplace) -> int:
    """A staged delivery: every bib but the first three is in the catalogue."""
    export, parcel = Export(), Parcel()
    for serial in range(NEW + KNOWN):
        parcel.bib(book(serial), f"N{serial}").holding("SOLB")
        if serial >= NEW:
            export.bib(book(serial), f"SK{serial:08d}")
    export.load(place)
    deliveries = receive.fn("NORDBOK", [parcel.land(place)])
    stage_records.fn(deliveries)
    return deliveries[0]


def stored(place: Workplace) -> judging.JudgedRows:
    with place.warehouse.read() as connection:
        verdicts, candidates = (
            [
                tuple(row)
                for row in connection.execute(
                    sa.select(*(table.c[name] for name in names)).order_by(*table.primary_key.columns)
                )
            ]
            for table, names in ((stage_verdict, judging.VERDICT_COLUMNS), (stage_match, judging.MATCH_COLUMNS))
        )
    return judging.JudgedRows(verdicts, candidates)


def match(place: Workplace, delivery: int, *, second_process: bool) -> dict[str, int]:
    return dict(
        judging.match_delivery(
            place.warehouse,
            delivery,
            place.register.matching,
            chunk_records=16,  # ranges of four
            now=place.now,
            second_process=second_process,
        )
    )


def test_only_bibs_with_a_candidate_leave_rows(place: Workplace, delivery: int) -> None:
    assert match(place, delivery, second_process=False) == {"match": KNOWN}
    rows = stored(place)
    assert [position for _, position, *_ in rows.verdicts] == [1 + 2 * serial for serial in range(NEW, NEW + KNOWN)]
    assert [row[:3] for row in rows.candidates] == [(delivery, row[1], row[3]) for row in rows.verdicts]


def test_a_bib_that_is_unfit_has_no_candidates(place: Workplace, delivery: int) -> None:
    with place.warehouse.write() as connection:
        connection.execute(
            sa.update(stage_bib).where(stage_bib.c.position == 1 + 2 * NEW).values(reject_reason="no title")
        )
    assert match(place, delivery, second_process=False) == {"match": KNOWN - 1}
    assert [position for _, position, *_ in stored(place).verdicts] == [
        1 + 2 * serial for serial in range(NEW + 1, NEW + KNOWN)
    ]


def test_two_processes_judge_as_one(place: Workplace, delivery: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = judging.judge_range(place.warehouse, delivery, (0, 100), place.register.matching)
    monkeypatch.setattr(judging, "WORTH_A_PROCESS", 1)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert match(place, delivery, second_process=True) == {"match": KNOWN}
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime > children
    assert stored(place) == expected
