"""Promises about files: names, one order a file, and the same file under another name."""

from __future__ import annotations

from deployments.sample.cast import TAKEN_IN, Cast, Parcel
from deployments.sample.encoding import marcxml
from schemas.marc import Record


def play(cast: Cast) -> None:
    """Two re-sent files and three broken promises."""
    _resent(cast)
    _broken(cast)


def _resent(cast: Cast) -> None:
    order = Parcel(cast, "BOKRING")
    order.bib(cast.book(), "created", "a new title")
    order.holding("SOLB", "created")
    first = order.send_order("SOLB", "an order that is sent again under another name")
    content = cast.drops[-1].content
    again = f"BOKRING_SOLB_{cast.stamp()}_BOKRING880001.xml"
    cast.drop("BOKRING", again, "the same bytes under another name: recognised, no effect", content, (), (), first)


def _broken(cast: Cast) -> None:
    order = Parcel(cast, "BOKRING")
    order.bib(cast.book(), ("rejected", ""), "a new title")
    order.holding("SOLB", ("rejected", ""), shows="the file's name says LUNV")
    order.send_order("LUNV", "the sigel in the name is not that in 852 $b", ("rejected", *TAKEN_IN))
    order = Parcel(cast, "BOKRING")
    for _ in range(2):
        order.bib(cast.book(), ("rejected", ""), "one of two bibs")
        order.holding("SOLB", ("rejected", ""))
    order.send_order("SOLB", "two bibs where one was promised", ("rejected",))
    order = Parcel(cast, "BOKRING")
    order.bib(cast.book(), ("rejected", ""), "a new title")
    order.holding("SOLB", ("rejected", ""))
    content = marcxml([each for each in order.pieces if isinstance(each, Record)])
    cast.drop("BOKRING", "ny_leverans.xml", "a name that follows no rule", content, ("rejected",), order.expected)
