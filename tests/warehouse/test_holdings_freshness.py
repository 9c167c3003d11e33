"""Whose holdings stand still: asked of registering libraries with an agreement, told once a check."""

from __future__ import annotations

from datetime import UTC, date, datetime

import sqlalchemy as sa

from schemas.warehouse.core import core_holding, core_notice
from tasks.joining import stages as joining
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Export, book

MOVED = {
    "SOLB": datetime(2025, 2, 1, tzinfo=UTC),
    "LUNV": datetime(2024, 3, 14, 12, tzinfo=UTC),  # a year ago to the day
    "NORU": datetime(2024, 3, 14, 23, 30, tzinfo=UTC),  # the day after by the consortium's clock
    "VLIE": datetime(2022, 7, 1, tzinfo=UTC),
    "SOLG": datetime(2020, 1, 1, tzinfo=UTC),  # limited: not asked
    "OSTA": datetime(2020, 1, 1, tzinfo=UTC),  # its agreement has ended
}


def moved(place: Workplace) -> None:
    """A holding a library, last changed then; Lundviken's was deleted."""
    export = Export().bib(book(1), "SK01")
    for sigel in MOVED:
        export.holding(sigel)
    export.load(place)
    with place.warehouse.write() as connection:
        for sigel, at in MOVED.items():
            connection.execute(
                sa.update(core_holding)
                .where(core_holding.c.sigel == sigel)
                .values(updated_at=at, is_deleted=sigel == "LUNV")
            )


def stale(place: Workplace, where: str = "is_latest") -> dict[str, tuple[int, int, bool]]:
    """Months, holdings and whether it is stale, by sigel."""
    statement = sa.text(
        f"SELECT sigel, months_still, holdings, is_stale FROM out_holdings_freshness WHERE {where} ORDER BY sigel"
    )
    with place.warehouse.read() as connection:
        return {sigel: (months, number, bool(is_stale)) for sigel, months, number, is_stale in
                connection.execute(statement)}  # fmt: skip


def test_registering_libraries_whose_holdings_stand_still_are_listed_once_a_check(
    place: Workplace, open_place: OpenPlace
) -> None:
    moved(place)
    counts = joining.check_freshness.fn()
    assert (counts["libraries"], counts["stale"]) == (7, 5)
    assert stale(place) == {
        "FJOR": (108, 0, True),  # since its agreement began: it never had any
        "HAVN": (93, 0, True),
        "LUNV": (12, 0, True),
        "NORU": (11, 1, False),
        "SOLB": (1, 1, False),
        "VEST": (78, 0, True),
        "VLIE": (32, 1, True),
    }
    joining.check_freshness.fn()
    with place.warehouse.read() as connection:
        (mail,) = connection.execute(sa.select(core_notice).where(core_notice.c.kind == "freshness")).all()
    assert (mail.recipient, mail.language) == ("medlem@samkatalogen.example", "sv")
    assert mail.subject == "5 bibliotek vars bestånd står stilla"
    assert "Bibliotheek Vlierbeke (VLIE)" in mail.body_text
    assert "Rörde sig senast: 1 juli 2022" in mail.body_text
    assert "Nordhavets" not in mail.body_text

    later = open_place(today="2025-04-01")
    joining.check_freshness.fn()
    assert stale(later)["NORU"] == (12, 1, True)
    assert stale(later, "checked_on = '2025-03-14'")["NORU"] == (11, 1, False)
    with later.warehouse.read() as connection:
        kinds = connection.execute(sa.select(sa.func.count()).where(core_notice.c.kind == "freshness")).scalar_one()
    assert kinds == 2
    assert later.today == date(2025, 4, 1)
