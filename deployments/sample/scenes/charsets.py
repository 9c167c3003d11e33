"""Character sets, rightly and wrongly named."""

from __future__ import annotations

from deployments.sample.cast import TAKEN_IN, Cast, Parcel
from deployments.sample.encoding import Charset


def play(cast: Cast) -> None:
    """Each file is one bib and one holding with å, ä, ö, ø or é in it; its new title must come out right."""
    files: tuple[tuple[str, str, Charset, str | None], ...] = (
        ("latin1-som-a", "leader/09 says UTF-8, the bytes are ISO 8859-1", "iso8859-1", "a"),
        ("utf8-som-blank", "leader/09 is blank, the bytes are UTF-8", "utf-8", " "),
        ("marc8", "MARC-8, rightly named", "marc-8", None),
    )
    for name, shows, charset, code in files:
        _file(cast, name, shows, charset, code)
    _mojibake(cast)
    _byte_order_mark(cast)


def _file(cast: Cast, name: str, shows: str, charset: Charset, code: str | None) -> None:
    day = Parcel(cast, "NORDBOK", charset=charset, charset_code=code)
    day.bib(cast.book(title="Åskvädret över Ärlingsö och Öxnö", subtitle="en vandring på fjället"), "created", shows)
    day.holding("SOLB", "created")
    day.bib(cast.book("nob", title="Ravnøya og sjøfuglene", subtitle="årbok for kystén"), "created", shows)
    day.holding("LUNV", "created")
    day.send_iso2709(f"{name}.mrc", shows)


def _mojibake(cast: Cast) -> None:
    """UTF-8 that somebody read as Latin-1 and wrote as UTF-8: valid, and wrong. Told, never silently repaired."""
    day = Parcel(cast, "NORDBOK")
    spoilt = "Åskvädret i söder".encode().decode("latin-1")
    day.bib(cast.book(title=spoilt), "created", "mojibake: the title was decoded wrongly before it was sent")
    day.holding("SOLB", "created")
    day.send_iso2709("mojibake.mrc", "mojibake in valid UTF-8")


def _byte_order_mark(cast: Cast) -> None:
    day = Parcel(cast, "NORDBOK")
    day.bib(cast.book(), "created", "the first record stands behind a byte order mark")
    day.holding("SOLB", "created")
    content = b"\xef\xbb\xbf" + b"".join(day.encoded())
    cast.drop("NORDBOK", day.named("bom.mrc"), "a byte order mark before the file", content, TAKEN_IN, day.expected)
