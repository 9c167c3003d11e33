"""What a person has to look at before it happens: too many withdrawals, too poor a delivery."""

from __future__ import annotations

from dataclasses import replace

from deployments.sample.cast import TAKEN_IN, Cast, Parcel
from deployments.sample.records import Line

WITHDRAWN = 25
POOR = 24


def play(cast: Cast) -> None:
    """The guard on withdrawn holdings, and the quality gate."""
    _too_many_withdrawn(cast)
    _too_poor(cast)


def _too_many_withdrawn(cast: Cast) -> None:
    """More than guards.toml lets through; the bibs beside them are safe and go on."""
    day = Parcel(cast, "NORDBOK")
    for _ in range(WITHDRAWN):
        book = cast.book()
        number = cast.plant(book, holdings={"VEST": (Line("Hc", owner="NORDBOK"),)})
        day.bib(book, "kept", "a better record is there", meets=number)
        day.holding("VEST", "waiting", is_delete=True, shows="held by the guard until a person approves")
    day.send_iso2709("makuleringar.mrc", f"{WITHDRAWN} holdings withdrawn at once", (*TAKEN_IN, "held"))


def _too_poor(cast: Cast) -> None:
    """Two thirds of the bibs have no ISBN: under the supplier's limit, the delivery is held."""
    early = Parcel(cast, "FORHAND")
    for turn in range(POOR):
        book = cast.book("swe")
        if turn % 3:
            book = replace(book, numbers=())
        early.bib(book, ("", "created"), "held with its delivery", level="8")
    early.send_iso2709("utan-isbn.mrc", "two thirds of the bibs have no ISBN", ("held",))
