"""Files for measurements: a union catalogue and a delivery that overlaps it, of any size, streamed.

Speed decides here, since a bench must not measure its own generator: some hundred records are written field by field,
and every bib is one of them with control number, ISBN and one word of the title filled in. These have a fixed length,
so the directory stays right. Memory does not grow with the number of records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from math import gcd
from pathlib import Path
from random import Random
from typing import Literal

from deployments.sample.books import Book, Number, draw_book
from deployments.sample.encoding import XML_HEAD, XML_TAIL, iso2709, marcxml_record
from deployments.sample.isbn import isbn13
from deployments.sample.records import Cataloguing, Line, bib_record, holding_record
from deployments.sample.vocabulary import REGISTERING
from schemas.marc import Record, data_field

Format = Literal["iso2709", "marcxml"]

HOLDINGS_PER_BIB = 1.5
_MODELS = 400
_ON = date(2025, 3, 14)
# What is filled in, in the order in which it stands in a record; each keeps its length.
_NUMBER, _ISBN, _WORD = "NNNNNNNNNN", "IIIIIIIIIIIII", "Wwwwwwww"
_HOLDING_NUMBER, _SIGEL = "HHHHHHHHHHHH", "SSSS"
_SYLLABLES = tuple(a + b for a in "bdfghjklmnprstv" for b in "aeiouy")
# Sigels that NORDBOK may deliver to, and that show their holdings.
# Real bibs have 28 fields and 1.6 KB on average (median 26 and 1.2 KB, 7,134 records of many libraries): with these
# the models come close.
_REALISTIC = (
    data_field("504", "  ", [("a", "Innehåller litteraturförteckning och register.")]),
    data_field("650", " 7", [("a", "Kusten"), ("x", "historia"), ("2", "sao")]),
    data_field("650", " 7", [("a", "Fiskelägen"), ("z", "Norden"), ("2", "sao")]),
    data_field("651", " 7", [("a", "Skärgården"), ("x", "seder och bruk"), ("2", "sao")]),
    data_field("653", " 0", [("a", "kulturhistoria"), ("a", "handel"), ("a", "sjöfart")]),
    data_field("655", " 7", [("a", "Facklitteratur"), ("2", "saogf")]),
    data_field("830", " 0", [("a", "Kustens böcker"), ("v", "12")]),
)
_SIGELS = tuple(sigel.encode() for sigel in REGISTERING if sigel != "FJOR")


@dataclass(frozen=True)
class BenchFile:
    """What was written. `overlapping` counts the bibs that describe a book of the bench catalogue."""

    bibs: int
    holdings: int
    size: int
    """Bytes."""
    overlapping: int = 0


@dataclass(frozen=True)
class _Model:
    """A record with three gaps, and the group that its ISBNs belong to."""

    text: bytes
    isbn_group: str

    def filled(self, number: bytes, index: int, seed: int) -> bytes:
        return self.text % (number, isbn13(self.isbn_group, index, seed).encode(), _word(index))


def write_bench_catalogue(
    path: Path, bibs: int, seed: int, holdings_per_bib: float = HOLDINGS_PER_BIB, fmt: Format = "iso2709"
) -> BenchFile:
    """Write a union catalogue of `bibs` bibs and their holdings to `path`, control numbers SK00000001 on."""
    return _written(path, stream_catalogue(bibs, seed, holdings_per_bib, fmt), fmt)


def write_bench_delivery(
    path: Path,
    bibs: int,
    seed: int,
    overlap_bibs: int,
    overlap_share: float = 0.3,
    fmt: Format = "iso2709",
    holdings_per_bib: float = HOLDINGS_PER_BIB,
) -> BenchFile:
    """Write a delivery of NORDBOK to `path`.

    `overlap_share` of its bibs are books of the bench catalogue of `overlap_bibs` bibs with the same seed: the same
    ISBN, the title in another hand. Raises `ValueError` where the catalogue has too few bibs for that.
    """
    pieces = stream_delivery(bibs, seed, overlap_bibs, overlap_share, fmt, holdings_per_bib)
    return replace(_written(path, pieces, fmt), overlapping=_share_of(bibs, overlap_share))


def write_small_files(
    folder: Path, files: int, seed: int, overlap_bibs: int = 0, overlap_share: float = 0.3, bibs_a_file: int = 1
) -> list[Path]:
    """Write so many small day files of NORDBOK into `folder`, in the order of the times in their names.

    Together they hold what `write_bench_delivery` writes into one file, so a catalogue to overlap can be made.
    """
    share = overlap_share if overlap_bibs else 0.0
    pieces = stream_delivery(files * bibs_a_file, seed, overlap_bibs, share)
    begin = datetime(_ON.year, _ON.month, _ON.day, 18)
    written = []
    for number in range(files):
        stamp = begin + timedelta(seconds=number)
        file = folder / f"NORDBOK_{stamp:%Y%m%d%H%M%S}_fil{number:05}.mrc"
        file.write_bytes(b"".join(content for content, _ in islice(pieces, bibs_a_file)))
        written.append(file)
    return written


def stream_catalogue(
    bibs: int, seed: int, holdings_per_bib: float = HOLDINGS_PER_BIB, fmt: Format = "iso2709"
) -> Iterator[tuple[bytes, int]]:
    """(a bib and its holdings, number of those holdings), one bib at a time."""
    models = _models(seed, fmt, _catalogue_record)
    holding = _holding_model("SAMKAT", fmt)
    for index in range(bibs):
        number = b"SK%08d" % (index + 1)
        count = _share_of(index + 1, holdings_per_bib) - _share_of(index, holdings_per_bib)
        bib = models[index % _MODELS].filled(number, index, seed)
        yield bib + _holdings(holding, number, index, count), count


def stream_delivery(
    bibs: int,
    seed: int,
    overlap_bibs: int,
    overlap_share: float = 0.3,
    fmt: Format = "iso2709",
    holdings_per_bib: float = HOLDINGS_PER_BIB,
) -> Iterator[tuple[bytes, int]]:
    """(a bib and its holdings, number of those holdings), one bib at a time; see `write_bench_delivery`."""
    if _share_of(bibs, overlap_share) > overlap_bibs:
        raise ValueError(f"{overlap_share:.0%} of {bibs} bibs cannot all be among {overlap_bibs}")
    models = _models(seed, fmt, _delivered_record)
    holding = _holding_model("NORDBOK", fmt)
    step = _step(max(overlap_bibs, 1))
    for turn in range(bibs):
        known = _share_of(turn, overlap_share)
        is_known = _share_of(turn + 1, overlap_share) > known
        index = known * step % overlap_bibs if is_known else overlap_bibs + turn - known
        number = b"NO%08d" % (turn + 1)
        count = _share_of(turn + 1, holdings_per_bib) - _share_of(turn, holdings_per_bib)
        bib = models[index % _MODELS].filled(number, index, seed)
        yield bib + _holdings(holding, number, turn, count), count


def _written(path: Path, pieces: Iterable[tuple[bytes, int]], fmt: Format) -> BenchFile:
    bibs = holdings = 0
    with path.open("wb", buffering=1 << 20) as file:
        if fmt == "marcxml":
            file.write(XML_HEAD.encode())
        for content, count in pieces:
            file.write(content)
            bibs += 1
            holdings += count
        if fmt == "marcxml":
            file.write(XML_TAIL.encode())
    return BenchFile(bibs, holdings, path.stat().st_size)


def _models(seed: int, fmt: Format, record: Callable[[Book, int], Record]) -> list[_Model]:
    models = []
    for turn in range(_MODELS):
        rng = Random(f"{seed}:bench:{turn}")
        book = draw_book(rng, 0, seed)
        group = "979" if book.language == "eng" and turn % 3 == 0 else book.language
        book = replace(
            book,
            title=f"{book.title} {_WORD}",
            subtitle=book.subtitle or "berättelser",
            numbers=(Number(_ISBN, book.numbers[0].qualifier),),
            summary=" ".join([book.summary] * 4),
        )
        models.append(_Model(_with_gaps(record(book, turn), fmt, (_NUMBER, _ISBN, _WORD)), group))
    return models


def _catalogue_record(book: Book, turn: int) -> Record:
    """At mixed levels: 7 in 20 full, 6 at 7 or 3, 7 at 8 or 5; one in ten edited by a cataloguer."""
    level = "       777733888885555"[turn % 19]
    by = Cataloguing(
        _NUMBER,
        extra=_REALISTIC,
        level=level,
        agency="FORHAND" if level in "58" else "SAMKAT",
        editors=("NORU",) if turn % 10 == 3 else (),
        on=date(2019, 1 + turn % 12, 3),
        is_national_bibliography=turn % 12 == 5,
    )
    return bib_record(book, by)


def _delivered_record(book: Book, turn: int) -> Record:
    """The same book in a supplier's hand: other capitals, at times no subtitle, local fields to be dropped."""
    title = book.title.removesuffix(_WORD)
    varied = replace(
        book, title=title.lower() + _WORD if turn % 2 else book.title, subtitle="" if turn % 5 == 0 else book.subtitle
    )
    extra = (
        *_REALISTIC,
        data_field("500", "  ", [("a", "Katalogpost från Nordbok, framställd efter förlagets uppgifter om utgåvan.")]),
        data_field("949", "  ", [("a", f"Lagerplats {turn % 60}")]),
    )
    by = Cataloguing(_NUMBER, prefix="NORDBOK", level="777 8"[turn % 5], agency="NORDBOK", on=_ON, extra=extra)
    return bib_record(varied, by)


def _holding_model(prefix: str, fmt: Format) -> bytes:
    record = holding_record(
        _SIGEL, (Line("Hc.01"),), control_number=_HOLDING_NUMBER, bib_number=_NUMBER, prefix=prefix, on=_ON
    )
    return _with_gaps(record, fmt, (_HOLDING_NUMBER, _NUMBER, _SIGEL))


def _holdings(model: bytes, bib_number: bytes, turn: int, count: int) -> bytes:
    return b"".join(
        model % (bib_number + b"-%d" % place, bib_number, _SIGELS[(turn + place) % len(_SIGELS)])
        for place in range(count)
    )


def _with_gaps(record: Record, fmt: Format, gaps: tuple[str, ...]) -> bytes:
    """The encoded record with `%b` for the first of each gap, in the order of the record."""
    text = iso2709(record) if fmt == "iso2709" else marcxml_record(record).encode()
    text = text.replace(b"%", b"%%")
    for gap in gaps:
        text = text.replace(gap.encode(), b"%b", 1)
    return text


def _word(index: int) -> bytes:
    """An invented word of eight letters, another for each index up to 65 million."""
    count = len(_SYLLABLES)
    first, rest = divmod(index, count**3)
    second, rest = divmod(rest, count**2)
    third, fourth = divmod(rest, count)
    syllables = (_SYLLABLES[place % count] for place in (first, second, third, fourth))
    return "".join(syllables).capitalize().encode()


def _share_of(count: int, share: float) -> int:
    """How many of the first `count` it is: spread evenly. The nudge keeps 0.3 x 10 from becoming 2."""
    return int(count * share + 1e-9)


def _step(total: int) -> int:
    """A step that visits every number under `total` once before it repeats."""
    step = 7_368_787
    while gcd(step, total) != 1:
        step += 1
    return step
