"""Small deliveries that share transactions end as each by itself would: what meets, what is wrong, what waits."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.sample.records import Line
from schemas.outcomes import DeliveryState
from tasks import batch
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Export, Parcel, book, file_name, with_isbn
from tests.warehouse.pipeline import (
    catalogue_content,
    everything,
    ingest,
    land,
    ledger_facts,
    outcomes,
    restore,
)


def dropped(place: Workplace) -> list[str]:
    """A new title in two files, a match, a withdrawal, a review, a title twice in one file, and two bad files."""
    parcels = [
        Parcel().bib(book(10), "N10").holding("SOLB"),
        Parcel().bib(book(10), "N10").holding("NORU").bib(book(11), "N11").holding("SOLB"),
        Parcel().bib(book(1), "N1").holding("LUNV"),
        Parcel().bib(book(2), "N2").holding("VEST", is_delete=True),
        Parcel().bib(with_isbn(book(3), book(3).isbn, "z"), "N3").holding("SOLB"),
        Parcel().bib(book(12), "N12").holding("SOLB").bib(book(12), "N12b").holding("SOLB", "Hc.2"),
    ]
    uris = [each.land(place, serial) for serial, each in enumerate(parcels, 1)]
    uris.append(land(place, "NORDBOK", file_name("NORDBOK", 8, "sidan"), b"<html><body>Logga in</body></html>"))
    cut = parcels[0].content + b"00200nam  cut short\x1d"
    uris.append(land(place, "NORDBOK", file_name("NORDBOK", 9, "kapad"), cut))
    return uris


def found(place: Workplace) -> dict[str, Any]:
    """What must be the same, without ids and instants."""
    rows = everything(place.warehouse)
    return {
        "content": catalogue_content(place.warehouse),
        "outcomes": outcomes(place.warehouse),
        "ledger": ledger_facts(place.warehouse),
        "reviews": [row[2:6] for row in rows["core_review"]],
        "matches": [row[1:6] for row in rows["core_match"]],
        "working set": {name: len(some) for name, some in rows.items() if name.startswith("stage_")},
    }


def test_small_deliveries_together_end_as_each_by_itself(
    open_place: OpenPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = open_place(today="2025-03-14")
    export = Export().bib(book(1), "SK01", level="8", agency="FORHAND").holding("NORU")
    export.bib(book(2), "SK02").holding("VEST", Line("Hc", owner="NORDBOK")).bib(book(3), "SK03").load(place)
    begun = everything(place.warehouse)
    ends = []
    for most in (batch.SMALL_BYTES, -1):
        monkeypatch.setattr(batch, "SMALL_BYTES", most)
        restore(place.warehouse, begun)
        ingest("NORDBOK", dropped(place))
        ends.append(found(place))
    together, alone = ends
    assert together == alone
    states = [facts for facts in together["ledger"] if DeliveryState.SETTLED in facts]
    assert len(states) == 8, "seven of the supplier's and the export"
    assert together["reviews"]
