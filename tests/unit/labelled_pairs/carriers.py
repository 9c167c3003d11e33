"""Pairs about what is held in the hand: print and e-book, discs and downloads, scores, maps, kits."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.marc import data_field
from tests.unit.labelled_pairs.books import AUDIOBOOK, BOOKS, CONCERT, EBOOK, HARBOUR, HOUSE, MATHS, SHADOW, SONATA
from tests.unit.labelled_pairs.builders import Bib, LabelledPair, different, isbn13, same

_LINK = data_field("856", "40", [("u", "https://example.com/book")])
_COVER = data_field("856", "40", [("u", "https://example.com/cover"), ("3", "Omslagsbild")])
_RELATED_LINK = data_field("856", "42", [("u", "https://example.com/more"), ("z", "Om boken")])
_REPRODUCTION = data_field("533", "  ", [("a", "Electronic reproduction"), ("b", "Lund")])
_FILM = data_field("533", "  ", [("a", "Mikrofilm"), ("b", "Lund")])

# One sign each, as old e-book records have them. `size` goes, because nothing measures a file in centimetres.
ONLINE_SIGNS: tuple[tuple[str, dict[str, object]], ...] = (
    ("007", {"category": "cr"}),
    ("008/23 o", {"form": "o"}),
    ("008/23 s", {"form": "s"}),
    ("245 $h Swedish", {"medium": "[Elektronisk resurs]"}),
    ("245 $h English", {"medium": "[electronic resource]"}),
    ("245 $h Norwegian", {"medium": "[elektronisk ressurs]"}),
    ("300 Swedish", {"extent": "1 onlineresurs (345 sidor)"}),
    ("300 English", {"extent": "1 online resource (345 pages)"}),
    ("300 German", {"extent": "1 Online-Ressource (345 Seiten)"}),
    ("300 French", {"extent": "1 ressource en ligne"}),
    ("337 code", {"media": "c", "extent": ""}),
    ("337 word", {"further": (data_field("337", "  ", [("a", "dator")]),), "extent": ""}),
    ("338 code", {"carrier": "cr"}),
    ("338 word", {"further": (data_field("338", "  ", [("a", "onlineresurs")]),)}),
    ("533", {"further": (_REPRODUCTION,)}),
    ("856 40", {"further": (_LINK,)}),
    ("title", {"title": "Det stora huset vid havet (e-bok)", "extent": ""}),
)


def pairs() -> Iterator[LabelledPair]:
    """All pairs of this module."""
    yield from _e_books()
    yield from _qualified()
    yield from _recordings()
    yield from _other_types()
    yield from _same_carrier()


def _e_books() -> Iterator[LabelledPair]:
    bare = HOUSE.but(size="")
    for name, sign in ONLINE_SIGNS:
        e_book = bare.but(**sign)
        yield different("e-book and print", f"the number of the print in an e-book, told by {name}", e_book, HOUSE)
        yield different("e-book and print", f"the other way round, told by {name}", HOUSE, e_book)
        yield same("e-book and print", f"one e-book, told by {name} and by all", e_book, EBOOK.but(isbns=HOUSE.isbns))
    for first, second in zip(ONLINE_SIGNS, ONLINE_SIGNS[3:], strict=False):
        one, other = bare.but(**first[1]), bare.but(**second[1])
        yield same("e-book and print", f"one e-book, told by {first[0]} and by {second[0]}", one, other)


def _qualified() -> Iterator[LabelledPair]:
    words = (("inb.", "e-bok"), ("print", "ebook"), ("hft.", "PDF"), ("häftad", "EPUB"), ("trykt", "e-bog"))
    for place, (paper, file) in enumerate(words):
        for book in BOOKS[place :: len(words)]:
            printed, digital = str(book.isbns[0]), isbn13(970_000 + place)
            both = ((printed, paper), (digital, file))
            e_book = book.but(isbns=(digital,), form="o", extent="1 onlineresurs", size="")
            name = f"{paper} and {file}: {book.title}"
            yield different(
                "qualifiers",
                f"print with both against the e-book, {name}",
                book.but(isbns=both),
                e_book,
                review_ok=False,
            )
            yield different(
                "qualifiers", f"e-book against print with both, {name}", e_book, book.but(isbns=both), review_ok=False
            )
            yield same("qualifiers", f"print with both against print, {name}", book.but(isbns=both), book)
            both_online = e_book.but(isbns=both)
            yield same("qualifiers", f"e-book with both against e-book, {name}", both_online, e_book)
            yield different("qualifiers", f"e-book with both against print, {name}", both_online, book, review_ok=False)
    both = ((str(HOUSE.isbns[0]), "inb."), (isbn13(970_900), "e-bok"))
    unclear = HOUSE.but(isbns=both, extent="", size="")
    yield same("qualifiers", "nothing but two qualifiers tells the carrier", unclear, HOUSE, review_ok=True)
    unclear_e = unclear.but(isbns=tuple(reversed(both)))
    e_book = HOUSE.but(isbns=(isbn13(970_900),), form="o", extent="", size="")
    yield same("qualifiers", "the same against the e-book", unclear_e, e_book, review_ok=True)


def _recordings() -> Iterator[LabelledPair]:
    number = HOUSE.isbns
    disc = AUDIOBOOK.but(isbns=number)
    download = AUDIOBOOK.but(isbns=number, extent="1 ljudfil", category="sr", carrier="cr", media="s")
    yield different("recordings", "audiobook on disc with the print's number", disc, HOUSE)
    yield different("recordings", "audiobook coded as text", disc.but(record_type="a"), HOUSE)
    yield different("recordings", "audiobook to download", download, HOUSE)
    yield different("recordings", "disc and download", download, disc)
    yield different("recordings", "e-book and download", download, EBOOK.but(isbns=number))
    cassette = disc.but(extent="8 ljudkassetter", category="ss", carrier="ss")
    yield different("recordings", "disc and cassette", cassette, disc)
    daisy = disc.but(extent="1 CD (Daisy)", editions=("Talbok",))
    yield different("recordings", "talking book and audiobook", daisy, disc)
    yield same("recordings", "audiobook twice", disc, disc.but(carrier="", media="", medium="[Ljudupptagning]"))
    mp3 = disc.but(isbns=((str(number[0]), "mp3-cd"),))
    yield same("recordings", "audiobook with qualifier", mp3, disc)
    both = ((str(number[0]), "inb."), (str(AUDIOBOOK.isbns[0]), "ljudbok"))
    yield different(
        "recordings", "print with the audiobook's number", HOUSE.but(isbns=both), AUDIOBOOK, review_ok=False
    )
    music = CONCERT.but(ean="", isbns=number, title=HOUSE.title, rest=HOUSE.rest, main=HOUSE.main)
    yield different("recordings", "music and spoken word", music, disc)
    film = Bib(HOUSE.title, rest="en film", record_type="g", isbns=number, extent="1 DVD", category="vd", size="")
    yield different("recordings", "film of the book", film, HOUSE)
    blu_ray = film.but(category="vd", extent="1 Blu-ray")
    yield same("recordings", "film twice", film, blu_ray, review_ok=True)
    yield different("recordings", "film streamed and on disc", film.but(extent="1 onlineresurs", category="vz"), film)


def _other_types() -> Iterator[LabelledPair]:
    for place, book in enumerate(BOOKS[:4]):
        score = book.but(record_type="c", extent="1 partitur (48 s.)", language="zxx")
        yield different("types", f"score with the book's number: {book.title}", score, book)
        sheet = book.but(record_type="e", extent="1 karta", size="60 x 80 cm")
        yield different("types", f"map with the book's number: {book.title}", sheet, book)
        kit = book.but(record_type="o", extent="1 bok, 1 CD, 20 kort")
        yield different("types", f"kit with the book's number: {book.title}", kit, book)
        toy = book.but(record_type="r", extent="1 handdocka", size="")
        yield different("types", f"toy with the book's number: {book.title}", toy, book)
        game = book.but(record_type="m", extent="1 CD-ROM", size="", category="co")
        yield different("types", f"computer disc with the book's number: {book.title}", game, book)
        braille = book.but(form="f", extent="3 volymer punktskrift")
        yield different("types", f"braille with the book's number: {book.title}", braille, book)
        film = book.but(further=(_FILM,))
        yield different("types", f"microfilm with the book's number: {book.title}", film, book)
        chapter = book.but(bib_level="a", title=f"Kapitel {place + 2}", rest="", extent="s. 12-40")
        yield different("types", f"chapter with its book's number: {book.title}", chapter, book)
        offprint = book.but(bib_level="a")
        yield different("types", f"part with its host's title: {book.title}", offprint, book)


def _same_carrier() -> Iterator[LabelledPair]:
    for book in BOOKS[:5]:
        rda = book.but(category="ta", media="n", carrier="nc")
        yield same("same carrier", f"RDA and older print: {book.title}", rda, book)
        yield same("same carrier", f"cover in 856 40: {book.title}", book.but(further=(_COVER,), size=""), book)
        yield same("same carrier", f"link in 856 42: {book.title}", book.but(further=(_RELATED_LINK,), size=""), book)
        yield same("same carrier", f"nothing tells: {book.title}", book.but(extent="", size=""), book)
        yield same("same carrier", f"link to the e-book in a print: {book.title}", book.but(further=(_LINK,)), book)
    with_disc = MATHS.but(category="co", extent="256 sidor")
    yield same("same carrier", "book with a disc in its pocket", with_disc, MATHS)
    old = EBOOK.but(record_type="m")
    yield same("same carrier", "e-book once coded as computer file", old, EBOOK)
    facsimile = HARBOUR.but(form="r", date_type="r")
    yield same("same carrier", "print reproduction", facsimile, HARBOUR)
    score = SONATA.but(isbns=(isbn13(980_001),), ean="")
    yield same("same carrier", "score twice", score, score.but(extent="1 partitur (24 s.)", carrier="nc"))
    yield same("same carrier", "recording by EAN", CONCERT, CONCERT.but(publisher="", main="Hallgren, O."))
    other = CONCERT.but(title="Sommarnatten")
    yield different("same carrier", "EAN of another recording", other, CONCERT)
    vinyl = CONCERT.but(title="Vinterkonserten II")
    yield different("same carrier", "EAN, second concert", vinyl, CONCERT)
    yield same("same carrier", "score by EAN", SONATA, SONATA.but(publisher=""), review_ok=True)
    boxed = SHADOW.but(extent="212 s. i kassett")
    yield same("same carrier", "book in a slipcase", boxed, SHADOW)
