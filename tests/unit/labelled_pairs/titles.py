"""Pairs about titles: trivia that must match, and small differences that tell two books apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from tests.unit.labelled_pairs.books import BOOKS, HANDBOOK, HARBOUR, HOUSE, ISLAND, MATHS, SAGA, SHADOW, YEARBOOK
from tests.unit.labelled_pairs.builders import Bib, LabelledPair, different, isbn13, same


def pairs() -> Iterator[LabelledPair]:
    """All pairs of this module."""
    yield from _trivia()
    yield from _boundaries()
    yield from _further_titles()
    yield from _spelling()
    yield from _numbers_that_agree()
    yield from _numbers_that_differ()
    yield from _words_that_differ()
    yield from _hard_positives()


def _trivia() -> Iterator[LabelledPair]:
    for book in BOOKS:
        title = book.title
        lost = "".join(each for each in unicodedata.normalize("NFD", title) if not unicodedata.combining(each))
        for name, changed in (
            ("capitals", title.upper()),
            ("decomposed", unicodedata.normalize("NFD", title)),
            ("diacritics lost", lost.replace("ø", "o").replace("Ø", "O")),
            ("punctuation", title.replace(" ", ", ", 1) + " ."),
            ("quotes", f"“{title}”"),
            ("spaces", title.replace(" ", "  ")),
        ):
            yield same("title trivia", f"{name}: {title}", book.but(title=changed), book)
    for with_article, without, language in (
        ("Den långa natten", "Långa natten", "swe"),
        ("Det siste skip", "Siste skip", "nob"),
        ("The silent valley", "Silent valley", "eng"),
        ("Die stille Stunde", "Stille Stunde", "ger"),
        ("Les portes closes", "Portes closes", "fre"),
        ("L'heure bleue", "Heure bleue", "fre"),
        ("De lange winter", "Lange winter", "dut"),
        ("Et hus i byen", "Hus i byen", "dan"),
    ):
        articled = HOUSE.but(title=with_article, rest="", language=language)
        yield same("title trivia", f"article: {with_article}", articled, articled.but(title=without))
    for one, other in (
        ("Mat och kärlek i norr", "Mat & kärlek i norr"),
        ("Kniv og gaffel", "Kniv & gaffel"),
        ("Salt and stone", "Salt & stone"),
        ("Wasser und Wein", "Wasser & Wein"),
        ("Sel et poivre", "Sel & poivre"),
    ):
        yield same("title trivia", f"and: {one}", HOUSE.but(title=one, rest=""), HOUSE.but(title=other, rest=""))
    for one, other in (
        ("Aarhus i regn", "Århus i regn"),
        ("Baerenland", "Bärenland"),
        ("Soendag i juni", "Søndag i juni"),
    ):
        yield same("title trivia", f"written out: {one}", HOUSE.but(title=one), HOUSE.but(title=other))


def _boundaries() -> Iterator[LabelledPair]:
    for book in [each for each in BOOKS if each.rest]:
        joined = f"{book.title} : {book.rest}"
        yield same("boundaries", f"$b in $a: {book.title}", book.but(title=joined, rest=""), book)
        with_statement = book.but(title=f"{book.title} / {book.statement}", rest="", statement="")
        yield same("boundaries", f"statement in $a, no $b: {book.title}", with_statement, book)
        both = book.but(title=f"{joined} / {book.statement}", rest="", statement="")
        yield same("boundaries", f"all in $a: {book.title}", both, book)
        yield same("boundaries", f"no $b: {book.title}", book.but(rest=""), book)
        yield same(
            "boundaries",
            f"no $b, no author: {book.title}",
            book.but(rest="", main="", others=(), statement=""),
            book,
            review_ok=True,
        )
        yield same(
            "boundaries", f"another $b: {book.title}", book.but(rest="berättelsen om en familj"), book, review_ok=True
        )
        longer = book.but(rest=f"{book.rest} i ord, ton")
        yield same("boundaries", f"longer $b: {book.title}", longer, book)
        counted = book.but(rest=f"{book.rest} i tre delar")
        yield same("boundaries", f"longer $b with a number: {book.title}", counted, book, review_ok=True)
    for genre in (
        "roman",
        "en roman",
        "noveller",
        "thriller",
        "dikter",
        "kriminalroman",
        "a novel",
        "ein Roman",
        "digte",
    ):
        one = SHADOW.but(rest=genre)
        yield same("boundaries", f"genre: {genre}", one, SHADOW)
        yield same("boundaries", f"genre, no author: {genre}", one.but(main="", statement=""), SHADOW)
        yield same(
            "boundaries", f"genre after a colon: {genre}", one.but(title=f"{SHADOW.title} : {genre}", rest=""), one
        )
        yield same("boundaries", f"genre run in: {genre}", one.but(title=f"{SHADOW.title} {genre}", rest=""), one)
    for word in ("e-bok", "inbunden", "pocket", "ljudbok"):
        fitting = HOUSE.but(title=f"{HOUSE.title} ({word})")
        if word in ("inbunden", "pocket"):
            yield same("boundaries", f"format after the title: {word}", fitting, HOUSE)


def _further_titles() -> Iterator[LabelledPair]:
    cover = HOUSE.but(variants=("Huset vid havet",))
    yield same("further titles", "title of the cover", HOUSE.but(title="Huset vid havet", rest=""), cover)
    yield same("further titles", "the other way round", cover, HOUSE.but(title="Huset vid havet", rest=""))
    spelled = HOUSE.but(title="Nittonhundraåttiofyra", rest="", variants=("1984",))
    yield same("further titles", "number in 246", HOUSE.but(title="1984", rest=""), spelled)
    war = Bib(
        "Тихая гавань", main="Орлова, Нина", isbns=(isbn13(800_001),), language="rus", year="2012", extent="300 s."
    )
    latin = war.but(
        title="Tichaja gavanʹ", main="Orlova, Nina", linked=(("245", "Тихая гавань"), ("100", "Орлова, Нина"))
    )
    yield same("further titles", "in two scripts, with 880", war, latin)
    yield same("further titles", "in two scripts, without", war, latin.but(linked=()), review_ok=True)
    other = war.but(title="Зимний сад")
    yield different("further titles", "another book in the other script", other, latin)
    parallel = HARBOUR.but(title="The quiet harbour = Den tysta hamnen", rest="")
    yield same("further titles", "parallel title in $a", parallel, HARBOUR.but(rest=""))
    within = HARBOUR.but(rest=f"{HARBOUR.rest} = en berättelse om avfärd")
    yield same("further titles", "parallel title within $b", within, HARBOUR)
    in_b = HARBOUR.but(title="The quiet harbour =", rest="Den tysta hamnen")
    yield same("further titles", "parallel title in $b", in_b, HARBOUR.but(rest=""))
    yield same("further titles", "the parallel title alone", HARBOUR.but(title="Den tysta hamnen", rest=""), parallel)
    grade = MATHS.but(variants=("Matematik",))
    yield different(
        "further titles", "246 without the number", MATHS.but(title="Matematik 8", variants=("Matematik",)), grade
    )
    yield different("further titles", "the bare series title", MATHS.but(title="Matematik"), grade)


def _spelling() -> Iterator[LabelledPair]:
    for one, other in (
        ("Introduktion till friluftslivets pedagogik", "Introduktion till frilufslivets pedagogik"),
        ("Handbok i trädgårdsskötsel för nybörjare", "Handbok i trädgårdskötsel för nybörjare"),
        ("The history of lighthouses in the north", "The history of lighthouse in the north"),
        ("Sommarsverige runt med barn", "Sommar-Sverige runt med barn"),
        ("Rock'n'roll i folkhemmet", "Rock’n’roll i folkhemmet"),
        ("Klimatförändringar i Östersjön", "Klimatförändringar i Östersjon"),
        ("Vi minns en annan tid", "Vi minns en annan tid!"),
        ("E-handel för småföretagare", "Ehandel för småföretagare"),
    ):
        yield same("spelling", one, HANDBOOK.but(title=one, rest=""), HANDBOOK.but(title=other, rest=""))


_AGREE = (
    ("Historia 2", "Historia II", "swe"),
    ("Historia 2", "Historia två", "swe"),
    ("Historie to", "Historie 2", "nob"),
    ("Historie to", "Historie II", "dan"),
    ("Geschichte zwei", "Geschichte 2", "ger"),
    ("Histoire deux", "Histoire II", "fre"),
    ("Geschiedenis twee", "Geschiedenis 2", "dut"),
    ("History two", "History 2", "eng"),
    ("Historia kaksi", "Historia 2", "fin"),
    ("Fem i båten", "5 i båten", "swe"),
    ("Sju dagar", "7 dagar", "swe"),
    ("Die zwölf Brüder", "Die 12 Brüder", "ger"),
    ("The 7th wave", "The seventh wave", "eng"),
    ("Den 3:e mannen", "Den tredje mannen", "swe"),
    ("Matematik 07", "Matematik 7", "swe"),
    ("Årsbok 2024/25", "Årsbok 2024/2025", "swe"),
    ("1 000 och en dag", "1000 och en dag", "swe"),
    ("Sagan. Del II", "Sagan. Del 2", "swe"),
    ("Sagan. Bok ett", "Sagan. Bok 1", "swe"),
    ("Kung Erik XIV", "Kung Erik 14", "swe"),
)
_DIFFER = (
    ("Matematik 7", "Matematik 8", "swe"),
    ("Matematik 7A", "Matematik 7B", "swe"),
    ("Matematik A", "Matematik B", "swe"),
    ("Matematik sju", "Matematik åtta", "swe"),
    ("Matematik för årskurs 7 i grundskolan", "Matematik för årskurs 8 i grundskolan", "swe"),
    ("Skärgårdens årsbok 2024", "Skärgårdens årsbok 2025", "swe"),
    ("Vinguiden 2023/24", "Vinguiden 2024/25", "swe"),
    ("Historia I", "Historia II", "swe"),
    ("Historia II", "Historia III", "swe"),
    ("Geschichte eins", "Geschichte zwei", "ger"),
    ("Historie to", "Historie tre", "dan"),
    ("The second wave", "The third wave", "eng"),
    ("Första resan till den norra kusten", "Andra resan till den norra kusten", "swe"),
    ("100 utflykter i Dalarna med omnejd", "101 utflykter i Dalarna med omnejd", "swe"),
    ("Guide till Europas städer 2019", "Guide till Europas städer 2020", "swe"),
    ("Engelska 5", "Engelska 6", "swe"),
    ("Läsebok del 1", "Läsebok del 2", "swe"),
    ("Sveriges kommuner 1952", "Sveriges kommuner 1971", "swe"),
)


def _numbers_that_agree() -> Iterator[LabelledPair]:
    for one, other, language in _AGREE:
        book = HANDBOOK.but(rest="", language=language)
        yield same("numbers in titles", f"{one} = {other}", book.but(title=one), book.but(title=other))
    in_n = MATHS.but(title="Matematik", number="7")
    yield same("numbers in titles", "number in $a or $n", in_n, MATHS)
    for one, other in (("Del 1", "1"), ("Band I", "Del 1"), ("Vol. 1", "Första delen"), ("D. 1", "Del ett")):
        yield same("numbers in titles", f"$n {one} = {other}", SAGA.but(number=one), SAGA.but(number=other))


def _numbers_that_differ() -> Iterator[LabelledPair]:
    for one, other, language in _DIFFER:
        book = HANDBOOK.but(rest="", language=language)
        yield different("numbers in titles", f"{one} ≠ {other}", book.but(title=one), book.but(title=other))
        # Two weak numbers in common as well: still told apart.
        weak = isbn13(810_000)
        ours, theirs = (book.but(title=title, isbns=(), cancelled=(weak,)) for title in (one, other))
        yield different("numbers in titles", f"{one} ≠ {other}, shared $z", ours, theirs, review_ok=False)
    for one, other in (("Del 1", "Del 2"), ("I", "II"), ("Vol. 3", "Vol. 4"), ("A", "B"), ("Supplement", "Register")):
        yield different(
            "numbers in titles", f"$n {one} ≠ {other}", SAGA.but(number=one, part=""), SAGA.but(number=other, part="")
        )
    yield different("numbers in titles", "part against whole", SAGA.but(number="", part=""), SAGA)
    yield different("numbers in titles", "number against none", MATHS.but(title="Matematik"), MATHS)
    yield different("numbers in titles", "sequel", SHADOW.but(title="Fjellets skygge 2"), SHADOW)
    yield different("numbers in titles", "yearbook without year", YEARBOOK.but(title="Skärgårdens årsbok"), YEARBOOK)
    yield different("words in titles", "poems and stories", HOUSE.but(rest="dikter"), HOUSE.but(rest="noveller"))
    yield same("words in titles", "novel and thriller", HOUSE.but(rest="roman"), HOUSE.but(rest="thriller"))
    yield different("numbers in titles", "parts told by $p", SAGA.but(number="", part="Stillhet"), SAGA.but(number=""))


def _words_that_differ() -> Iterator[LabelledPair]:
    for one, other in (
        ("Introduktion till kognitiv terapi för barn", "Introduktion till kognitiv terapi för vuxna"),
        ("Den stora handboken för hundägare i stan", "Den stora handboken för hästägare i stan"),
        ("Läs och lär om djuren i skogen", "Läs och lär om djuren i havet"),
        ("Lilla parlören svenska - tyska", "Lilla parlören svenska - danska"),
        ("Vandra i Jämtland : 40 turer", "Vandra i Värmland : 40 turer"),
        ("A beginner's guide to northern birds", "A beginner's guide to southern birds"),
        ("Kvinnor i svensk konst under efterkrigstiden", "Kvinnor i norsk konst under efterkrigstiden"),
        ("Bokföring", "Bokföring för föreningar"),
        ("Svenska", "Svenska. Övningsbok"),
        ("Programmering i C", "Programmering i C#"),
        ("Programmering i C", "Programmering i C++"),
        ("Matematik 5000", "Matematik 5000+"),
    ):
        book = HANDBOOK.but(rest="")
        yield different("words in titles", f"{one} ≠ {other}", book.but(title=one), book.but(title=other))
        bare = book.but(main="", statement="")
        yield different("words in titles", f"no author: {one} ≠ {other}", bare.but(title=one), bare.but(title=other))


def _hard_positives() -> Iterator[LabelledPair]:
    """One book, described so badly that asking is right."""
    yield same("hard positives", "title changed before printing", HOUSE.but(title="Huset"), HOUSE, review_ok=True)
    yield same(
        "hard positives",
        "one letter in a short title",
        ISLAND.but(title="Øen i tågan", rest=""),
        ISLAND,
        review_ok=True,
    )
    yield same(
        "hard positives", "words in another order", HOUSE.but(title="Vid havet det stora huset"), HOUSE, review_ok=True
    )
    yield same("hard positives", "number lost", MATHS.but(title="Matematik"), MATHS, review_ok=True)
    yield same(
        "hard positives", "part title alone", SAGA.but(title=SAGA.part, number="", part=""), SAGA, review_ok=True
    )
    yield same(
        "hard positives",
        "series before the title",
        HOUSE.but(title=f"Kustsviten: {HOUSE.title}"),
        HOUSE,
        review_ok=True,
    )
    period = HOUSE.but(rest="Bohuslän 1939-1945")
    yield same("hard positives", "a period in $b only", period, HOUSE.but(rest=""))
