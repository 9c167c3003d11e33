"""Invented books in eight languages, of which the pairs are made."""

from __future__ import annotations

from tests.unit.labelled_pairs.builders import Bib, isbn13

HOUSE = Bib(
    "Det stora huset vid havet",
    rest="en släktkrönika",
    statement="Anna Bergström",
    isbns=(isbn13(100_001),),
    main="Bergström, Anna,",
    dates="1970-",
    publisher="Norrviks förlag",
    extent="345 sidor",
)
SHADOW = Bib(
    "Fjellets skygge",
    statement="Kåre Nordli",
    isbns=(isbn13(200_001, "97882"),),
    main="Nordli, Kåre",
    language="nob",
    publisher="Fjordbok",
    extent="212 s.",
    year="2019",
)
ISLAND = Bib(
    "Øen i tågen",
    rest="fortællinger fra kysten",
    statement="Søren Aage Møller",
    isbns=(isbn13(300_001, "97887"),),
    main="Møller, Søren Aage",
    language="dan",
    publisher="Klitforlaget",
    extent="180 sider",
    year="2020",
)
HARBOUR = Bib(
    "The quiet harbour",
    rest="an account of departure",
    statement="Eleanor Whitcombe and James Oddy",
    isbns=(isbn13(400_001, "97814"),),
    main="Whitcombe, Eleanor",
    others=("Oddy, James",),
    language="eng",
    publisher="Tern Press",
    extent="xii, 288 pages",
    year="2018",
)
SOUTH = Bib(
    "Der lange Weg nach Süden",
    rest="Reisen und Tagebücher",
    statement="Jörg Brückner",
    isbns=(isbn13(500_001, "97834"),),
    main="Brückner, Jörg",
    language="ger",
    publisher="Weidenhof Verlag",
    extent="401 Seiten",
    year="2017",
)
SWALLOWS = Bib(
    "L'été des hirondelles",
    statement="Hélène Lefèvre",
    isbns=(isbn13(600_001, "97820"),),
    main="Lefèvre, Hélène",
    language="fre",
    publisher="Éditions du Quai",
    extent="256 pages",
    year="2022",
)
CANAL = Bib(
    "Het huis aan de gracht",
    rest="kroniek van een straat",
    statement="Pieter van den Broek",
    isbns=(isbn13(700_001, "97890"),),
    main="Broek, Pieter van den",
    language="dut",
    publisher="Uitgeverij De Sluis",
    extent="310 pagina's",
    year="2016",
)
LAKE = Bib(
    "Järven hiljaisuus",
    statement="Aino Mäkeläinen",
    isbns=(isbn13(80_001, "978951"),),
    main="Mäkeläinen, Aino",
    language="fin",
    publisher="Koivukustannus",
    extent="198 sivua",
    year="2015",
)
BOOKS = (HOUSE, SHADOW, ISLAND, HARBOUR, SOUTH, SWALLOWS, CANAL, LAKE)

MATHS = Bib(
    "Matematik 7",
    statement="Eva Lindqvist, Per Holm",
    isbns=(isbn13(110_001),),
    main="Lindqvist, Eva",
    others=("Holm, Per",),
    publisher="Skolbokshuset",
    extent="256 sidor",
)
YEARBOOK = Bib(
    "Skärgårdens årsbok 2024",
    isbns=(isbn13(120_001),),
    publisher="Skärgårdsförbundet",
    extent="160 sidor",
    year="2024",
)
HANDBOOK = Bib(
    "Introduktion till friluftslivets pedagogik för förskolan",
    rest="en handbok",
    statement="Maria Sandell",
    isbns=(isbn13(130_001),),
    main="Sandell, Maria",
    publisher="Granbacken",
    extent="220 sidor",
)
SAGA = Bib(
    "Havsfolkets saga",
    number="Del 1",
    part="Stormens barn",
    statement="Ulf Ekwall",
    isbns=(isbn13(140_001),),
    main="Ekwall, Ulf",
    publisher="Norrviks förlag",
    extent="388 sidor",
)
EBOOK = HOUSE.but(
    isbns=(isbn13(100_002),),
    extent="1 onlineresurs (345 sidor)",
    size="",
    form="o",
    category="cr",
    media="c",
    carrier="cr",
)
AUDIOBOOK = HOUSE.but(
    isbns=(isbn13(100_003),),
    record_type="i",
    extent="1 CD (MP3) (11 tim.)",
    size="",
    category="sd",
    media="s",
    carrier="sd",
)
JOURNAL = Bib(
    "Nordisk fågeltidskrift",
    bib_level="s",
    date_type="c",
    year="1998",
    issn="1402-3229",
    publisher="Fågelsällskapet",
    extent="volymer",
)
SONATA = Bib(
    "Sonat för violin och piano",
    record_type="c",
    isbns=(),
    main="Hallgren, Otto",
    ean="7312345000014",
    extent="1 partitur (24 sidor) + 1 stämma",
    language="zxx",
    publisher="Notförlaget",
)
CONCERT = Bib(
    "Vinterkonserten",
    record_type="j",
    main="Hallgren, Otto",
    ean="7312345000021",
    extent="1 CD",
    size="12 cm",
    category="sd",
    carrier="sd",
    media="s",
    language="zxx",
    publisher="Frostklang",
)
