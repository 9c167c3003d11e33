"""Which record is the better one: encoding levels, ceilings, protected records; and what normalising takes away."""

from __future__ import annotations

from deployments.sample.cast import Cast, Parcel
from deployments.sample.scenes.routine import MATCHED
from schemas.marc import data_field


def play(cast: Cast) -> None:
    """Levels against each other, protection, early records, normalising."""
    _against_each_other(cast)
    _protected(cast)
    _early_records(cast)
    _normalised(cast)


def _against_each_other(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    for incoming, existing, outcome, shows in (
        ("7", "8", "replaced", "level 7 over 8"),
        ("7", "5", "replaced", "level 7 over 5"),
        (" ", "8", "replaced", "blank, read as 7 by the supplier's ceiling, over 8"),
        (" ", "7", "kept", "blank, read as 7 by the supplier's ceiling, over another source's 7"),
        ("7", " ", "kept", "level 7 under a full record"),
        ("u", "8", "replaced", "u, read as 3, over 8"),
        ("u", " ", "kept", "u, read as 3, under a full record"),
    ):
        book = cast.book()
        number = cast.plant(book, level=existing, agency="FORHAND")
        day.bib(book, outcome, shows, meets=number, level=incoming)
        day.holding("SOLB", "created")
    day.send_iso2709("nivaer.mrc", "encoding levels against each other")


def _protected(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    book = cast.book()
    number = cast.plant(book, level="8", agency="FORHAND", editors=("FORHAND", "NORU"))
    day.bib(book, "kept", "level 7 over an 8 that a cataloguer has edited", meets=number)
    day.holding("LUNV", "created")
    book = cast.book()
    number = cast.plant(book, level="8", agency="FORHAND", is_national_bibliography=True)
    day.bib(book, "kept", "level 7 over an 8 of the national bibliography", meets=number)
    day.holding("LUNV", "created")
    day.send_iso2709("skyddade.mrc", "records that no supplier may replace")


def _early_records(cast: Cast) -> None:
    early = Parcel(cast, "FORHAND")
    for incoming, existing, outcome in (
        ("8", " ", "kept"),
        ("5", " ", "kept"),
        ("5", "8", "kept"),
        ("8", "5", MATCHED),
        ("8", "7", "kept"),
    ):
        book = cast.book("nob")
        number = cast.plant(book, level=existing, agency="NORDBOK")
        shown = {" ": "a full record"}.get(existing, existing)
        early.bib(book, outcome, f"level {incoming} over {shown}", meets=number, level=incoming)
        early.holding("FJOR", "created")
    early.send_iso2709("nya-nivaer.mrc", "early records over better ones")


def _normalised(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    extra = (
        data_field("082", "04", [("a", "839.738"), ("2", "machine generated")]),
        data_field("500", "  ", [("a", "Signerat exemplar"), ("5", "XXXX")]),
        data_field("650", " 7", [("a", "Fyrar"), ("2", "sao"), ("0", "https://id.amnesord.example/fyrar")]),
        data_field("949", "  ", [("a", "Lagerplats 12")]),
        data_field("991", "  ", [("a", "Internt")]),
    )
    shows = "9XX, $5, $0 and machine classification go; 001 becomes 035"
    day.bib(cast.book(), "created", shows, extra=extra)
    day.holding("SOLB", "created")
    day.send_iso2709("normalisering.mrc", "what normalising takes away")
