"""Holdings: who may have one, whose lines they are, and what taking them away means."""

from __future__ import annotations

from deployments.sample.cast import Cast, Parcel
from deployments.sample.encoding import iso2709
from deployments.sample.records import Line, holding_record


def play(cast: Cast) -> None:
    """Refusals, shelf marks, cancellations, holdings that stand nowhere."""
    _refused(cast)
    _shelf_marks(cast)
    _cancelled(cast)
    _homeless(cast)
    _ended_agreement(cast)


def _refused(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    day.bib(cast.book(), "created", "a new title for four libraries")
    day.holding("SOLB", "created")
    day.holding("XXXX", "refused", shows="a sigel that the register does not know")
    day.holding("FJOR", "refused", shows="a library that is not this supplier's customer")
    day.holding("OSTA", "refused", shows="a library whose agreement has ended")
    day.send_iso2709("nekade.mrc", "holdings that the register refuses")
    order = Parcel(cast, "BOKRING")
    order.bib(cast.book("dut"), ("created", "rejected"), "a new title")
    order.holding("XXXX", "refused", shows="a sigel that the register does not know")
    order.send_order("XXXX", "an order for an unknown sigel")


def _shelf_marks(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    book = cast.book()
    number = cast.plant(book, holdings={"SOLB": (Line("Hc.01", owner="NORDBOK"),)})
    day.bib(book, "kept", "a better record is there", meets=number)
    day.holding("SOLB", "updated", Line("Hc.02/Mag"), shows="a new shelf mark in place of the supplier's own")
    book = cast.book()
    number = cast.plant(book, holdings={"LUNV": (Line("Hylla 4", owner="BOKRING"), Line("Ref"))})
    day.bib(book, "kept", "a better record is there", meets=number)
    day.holding("LUNV", "updated", Line("Hc"), shows="a line of its own beside those of others")
    book = cast.book("dan")
    number = cast.plant(book, holdings={"HAVN": (Line("Skønl.", owner="NORDBOK"),)})
    day.bib(book, "kept", "a better record is there", meets=number)
    day.holding("HAVN", "unchanged", Line("Skønl."), shows="exactly what stands there")
    day.send_iso2709("hyllor.mrc", "shelf marks on holdings that exist")


def _cancelled(cast: Cast) -> None:
    for shows, lines, outcome in (
        ("the only line is the supplier's: the holding goes", (Line("Hc", owner="BOKRING"),), "deleted"),
        ("others' lines stay", (Line("Hc", owner="BOKRING"), Line("Magasin")), "updated"),
        ("nothing here is the supplier's: nothing goes", (Line("Magasin"),), ("unchanged", "refused")),
    ):
        book = cast.book()
        number = cast.plant(book, holdings={"SOLB": lines})
        order = Parcel(cast, "BOKRING")
        order.bib(book, "kept", "a better record is there", meets=number)
        order.holding("SOLB", outcome, is_delete=True, shows=shows)
        order.send_order("SOLB", f"a cancelled order: {shows}")


def _homeless(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    early = holding_record(
        "SOLB", (Line("Hc"),), control_number="early", bib_number="none", prefix="NORDBOK", on=cast.on
    )
    day.raw(iso2709(early), "holding", "rejected", "a holding before any bib")
    day.bib(cast.book(), "created", "a new title")
    nameless = day.holding("SOLB", "rejected", shows="no 852 $b: whose holding is it?")
    nameless.all_fields[-1] = nameless.all_fields[-1]._replace(subfields=(("h", "Hc"),))
    day.holding("LUNV", "created")
    untitled = day.bib(cast.book(), "rejected", "no 245 $a: rejected with its holdings")
    untitled.all_fields = [field for field in untitled.all_fields if field.tag != "245"]
    day.holding("SOLB", "rejected", shows="its bib was rejected")
    day.send_iso2709("hemlosa.mrc", "a holding before any bib, one without sigel, a bib without title")


def _ended_agreement(cast: Cast) -> None:
    day = Parcel(cast, "GAMLA", charset="iso8859-1")
    day.bib(cast.book(), (), "a new title from a supplier without agreement")
    day.holding("SOLB", ("refused", "rejected"), shows="a supplier whose agreement has ended")
    day.send_iso2709("sista.mrc", "a supplier whose agreement has ended", (*_ANY_END,))


_ANY_END = ("loaded", "settled", "rejected", "held")
