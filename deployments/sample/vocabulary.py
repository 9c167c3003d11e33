"""The words of the sample: titles, persons, publishers, places and subjects, by MARC language code. All are invented.

Surnames are put together from two halves, places are not on any map, and no publisher of these names is known.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tongue:
    """The words of one language. A title is one of `patterns` with `{noun}` and `{place}` filled in."""

    country: str
    """MARC country code, three characters."""
    nouns: tuple[str, ...]
    places: tuple[str, ...]
    patterns: tuple[str, ...]
    subtitles: tuple[str, ...]
    given: tuple[str, ...]
    family_start: tuple[str, ...]
    family_end: tuple[str, ...]
    publishers: tuple[tuple[str, str], ...]
    """(publisher, place of publication)"""
    subjects: tuple[str, ...]
    pages: str
    """How the language writes the extent, `{}` for the number."""
    summary: str
    """`{noun}` and `{place}` are filled in."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split("|"))


SWEDISH = Tongue(
    country="sw ",
    nouns=_words(
        "fyren ön älven båten stormen vintern åkern nattågen syskonen trädgården skuggan brevet klockan färjan "
        "kartan muren elden tystnaden räven orgeln"
    ),
    places=_words("Solvik Åmfors Björkeröd Grönsund Lövhamra Ekstrand Västerfjärd Östanmo Ränneby Ljusdala Hökensås"),
    patterns=_phrases(
        "{noun} vid {place} | Sommaren i {place} | Den sista {noun} | Vägen till {place} | {noun} och {noun2} | "
        "Bortom {place} | Berättelsen om {noun} | Ett hus i {place} | Dagen då {noun} kom | Allt om {noun}"
    ),
    subtitles=_phrases("en roman | berättelser | en vandring genom tiden | handbok för alla | en släktkrönika"),
    given=_words("Alva Birger Edla Folke Gunhild Hjalmar Iris Jerker Karin Love Märta Nils Ottilia Ragnar Siv Åke"),
    family_start=_words("Ask Björk Dal Fjäll Glim Hav Ljung Måne Norr Pil Sten Ull Vinter Åsk Örn"),
    family_end=_words("brink hage sätra mark tjärn vidd fall lid skär torpa"),
    publishers=(
        ("Månskära förlag", "Solvik"),
        ("Bokvinden", "Åmfors"),
        ("Lilla Fyrförlaget", "Grönsund"),
        ("Kornknarr", "Västerfjärd"),
    ),
    subjects=_phrases(
        "Skärgårdsliv | Syskon | Fyrar | Trädgårdsskötsel | Lokalhistoria | Sjöfart | Vänskap | Skogsbruk"
    ),
    pages="{} s.",
    summary="En berättelse om {noun} i {place}, om det som blev sagt och om det som aldrig blev sagt.",
)
NORWEGIAN = Tongue(
    country="no ",
    nouns=_words(
        "fjorden øya båten stormen vinteren åkeren tåka søstrene hagen skyggen brevet klokka ferja kartet bålet"
    ),
    places=_words("Fjordkyst Solnes Bjørkelia Grønnvik Ravnøya Tindfoss Myrhaug Straumsund Eplegård"),
    patterns=_phrases(
        "{noun} ved {place} | Sommeren på {place} | Den siste {noun} | Veien til {place} | "
        "{noun} og {noun2} | "
        "Bortenfor {place} | Fortellingen om {noun} | Et hus på {place}"
    ),
    subtitles=_phrases("roman | fortellinger | en vandring | håndbok for alle | en slektskrønike"),
    given=_words("Ågot Bjarte Dagny Eivind Frøydis Gaute Hjørdis Ivar Jorunn Kåre Liv Magne Oddny Sverre Tiril"),
    family_start=_words("Ask Bjørke Dal Fjell Grå Hav Lyng Måne Nord Skarv Stein Ull Vinter Ørne"),
    family_end=_words("bakk haug vær mark tjern vidde foss lien skjær"),
    publishers=(("Skarvheim forlag", "Fjordkyst"), ("Bokstrøm", "Solnes"), ("Nordlys og Sønn", "Tindfoss")),
    subjects=_phrases("Kystkultur | Søsken | Fiskere | Hagebruk | Lokalhistorie | Vennskap | Friluftsliv"),
    pages="{} s.",
    summary="En fortelling om {noun} på {place}, om det som ble sagt og om det som aldri ble sagt.",
)
DANISH = Tongue(
    country="dk ",
    nouns=_words("fyret øen åen båden stormen vinteren marken tågen søstrene haven skyggen brevet uret færgen kortet"),
    places=_words("Havnsø Bøgelund Sandvad Mosehøj Klitmark Ærtebro Næsholm Strandkær"),
    patterns=_phrases(
        "{noun} ved {place} | Sommeren i {place} | Den sidste {noun} | Vejen til {place} | {noun} og {noun2} | "
        "Hinsides {place} | Fortællingen om {noun} | Et hus i {place}"
    ),
    subtitles=_phrases("roman | fortællinger | en vandring | håndbog for alle | en slægtskrønike"),
    given=_words("Asger Bodil Ditlev Esther Frode Grethe Holger Inge Jytte Kjeld Lone Mogens Palle Signe Tove"),
    family_start=_words("Aske Birke Dal Egger Grav Hav Klit Måne Nør Pile Sten Uld Vinter Ærø"),
    family_end=_words("bæk høj mark mose holm sund lund skov"),
    publishers=(("Klithøj Forlag", "Havnsø"), ("Bogbåden", "Sandvad"), ("Den Grå Svane", "Bøgelund")),
    subjects=_phrases("Kystliv | Søskende | Fyrtårne | Havebrug | Lokalhistorie | Venskab | Søfart"),
    pages="{} sider",
    summary="En fortælling om {noun} i {place}, om det der blev sagt, og om det der aldrig blev sagt.",
)
DUTCH = Tongue(
    country="be ",
    nouns=_words("vuurtoren eilanden rivier boot stormen akker mist zussen tuinen schaduw brieven klok veerboot"),
    places=_words("Vlierbeke Zandhoek Meerloo Wilgenrode Kouterdam Driebeken Lindewegge Roggeveld"),
    patterns=_phrases(
        "De {noun} van {place} | Zomer in {place} | De laatste {noun} | De weg naar {place} | "
        "De {noun} en de {noun2} | "
        "Voorbij {place} | Het verhaal van de {noun} | Een huis in {place}"
    ),
    subtitles=_phrases("roman | verhalen | een wandeling | handboek voor iedereen | een familiekroniek"),
    given=_words("Aagje Bavo Coenraad Doutzen Evert Griet Hilde Ivo Jozefien Klaas Lieve Maarten Noor Pier Trui"),
    family_start=_words("Van~den~ De~ Ver Van~der~ Van~"),
    family_end=_words("wilgenhoek molenzande korenvliet dijckrode lisbeke vossendael meirhaege"),
    publishers=(("Uitgeverij De Wilg", "Vlierbeke"), ("Kouterboek", "Zandhoek"), ("Het Gele Zeil", "Meerloo")),
    subjects=_phrases("Kustleven | Zussen | Vuurtorens | Tuinieren | Streekgeschiedenis | Vriendschap"),
    pages="{} p.",
    summary="Een verhaal over de {noun} in {place}, over wat gezegd werd en wat nooit gezegd werd.",
)
ENGLISH = Tongue(
    country="xxk",
    nouns=_words(
        "lighthouse islands river boat storms winters orchard fog sisters garden shadow letters clock ferry chart wall"
    ),
    places=_words("Vestmark Otterhythe Saltmarsh Quillbury Fenwick-under-Lyme Gannet-Head Marrowby Tidewick"),
    patterns=_phrases(
        "The {noun} at {place} | Summer in {place} | The last {noun} | The road to {place} | "
        "The {noun} and the {noun2} | "
        "Beyond {place} | A history of the {noun} | A house in {place}"
    ),
    subtitles=_phrases("a novel | stories | a walk through time | a handbook for everyone | a family chronicle"),
    given=_words("Agatha Barnaby Cecily Dunstan Eleanor Fergus Gwendolyn Hugh Imogen Jasper Lavinia Miles Orla Rupert"),
    family_start=_words("Ash Birch Corn Elder Fox Gorse Harrow Lark Moss Otter Quill Thistle Wren"),
    family_end=_words("combe ley thwaite wick stowe hollow garth mere"),
    publishers=(
        ("Tidewater Lantern Press", "Otterhythe"),
        ("Marrow & Quill", "Vestmark"),
        ("Gorse Books", "Saltmarsh"),
    ),
    subjects=_phrases("Coastal life | Sisters | Lighthouses | Gardening | Local history | Friendship | Seafaring"),
    pages="{} pages",
    summary="A story of the {noun} at {place}, of what was said and of what was never said.",
)

TONGUES = {"swe": SWEDISH, "nob": NORWEGIAN, "dan": DANISH, "dut": DUTCH, "eng": ENGLISH}
LANGUAGE_SHARES = ("swe", "swe", "swe", "swe", "nob", "nob", "dan", "dut", "eng", "eng")
"""Drawn from evenly: how often each language comes in the union catalogue."""

REGISTERING = ("SOLB", "LUNV", "FJOR", "HAVN", "VLIE", "NORU", "VEST")
LIMITED = ("SOLG", "GRAN", "FJVG")
"""Sigels of config/register/libraries.toml; a test holds the two against each other."""
