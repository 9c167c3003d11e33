"""Numbers in words, figures and Roman figures: "2", "II", "två", "to" and "deux" are one.

What belongs here is reading numbers out of a text in seven languages (Swedish, Norwegian, Danish, English, German,
French, Dutch) and Finnish. What two different numbers mean is judged where titles and editions are compared.

Some words are numbers in one language and something else in another: "to" is Danish for two, "sex" Swedish for six,
"fire" Norwegian for four. They count only in a text of that language.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from tasks.marc.folding import plain_letters, with_symbols_spelled

_NORDIC = frozenset({"swe", "nor", "nob", "nno", "dan"})
_DANO_NORWEGIAN = frozenset({"nor", "nob", "nno", "dan"})
_LANGUAGES = {
    "sv": frozenset({"swe"}),
    "da": _DANO_NORWEGIAN,
    "nordic": _NORDIC,
    "en": frozenset({"eng"}),
    "de": frozenset({"ger"}),
    "fr": frozenset({"fre"}),
    "nl": frozenset({"dut"}),
}

# Words that are a number in every language of the list that knows them.
_CARDINALS = {
    2: "tva two zwei zwo deux twee kaksi",
    3: "tre three drei trois drie kolme",
    4: "fyra four vier quatre nelja",
    5: "fem five funf cinq vijf viisi",
    6: "seks six sechs zes kuusi",
    7: "sju syv seven sieben zeven seitseman",
    8: "atta atte eight acht huit kahdeksan",
    9: "nio nine neun negen yhdeksan",
    10: "tio ten zehn tien kymmenen",
    11: "elva elleve eleven",
    12: "tolv twelve zwolf douze twaalf",
    13: "tretton tretten thirteen dreizehn treize dertien",
    14: "fjorton fjorten fourteen vierzehn quatorze veertien",
    15: "femton femten fifteen funfzehn quinze vijftien",
    16: "sexton seksten sixteen sechzehn zestien",
    17: "sjutton sytten seventeen siebzehn zeventien",
    18: "arton atten eighteen achtzehn achttien",
    19: "nitton nitten nineteen neunzehn negentien",
    20: "tjugo tyve twenty zwanzig vingt twintig",
    30: "trettio tretti thirty dreissig trente dertig",
    40: "fyrtio forty vierzig quarante veertig",
    50: "femtio femti fifty funfzig cinquante vijftig",
    60: "sextio seksti sixty sechzig soixante zestig",
    70: "sjuttio sytti seventy siebzig zeventig",
    80: "attio atti eighty achtzig tachtig",
    90: "nittio nitti ninety neunzig negentig",
    100: "hundra hundre hundred hundert honderd sata",
}
_ORDINALS = {
    1: "forsta forste first erste premiere eerste ensimmainen",
    2: "zweite zweiter zweites deuxieme seconde tweede toinen",
    3: "tredje third dritte dritter drittes troisieme derde kolmas",
    4: "fjarde fjerde fourth vierte vierter quatrieme vierde neljas",
    5: "femte fifth funfte funfter cinquieme vijfde viides",
    6: "sjatte sjette sixth sechste sechster sixieme zesde kuudes",
    7: "sjunde sjuende syvende seventh siebte siebente siebter septieme zevende seitsemas",
    8: "attonde attende ottende eighth achte achter huitieme achtste kahdeksas",
    9: "nionde niende ninth neunte neunter neuvieme negende yhdeksas",
    10: "tionde tiende tenth zehnte zehnter dixieme kymmenes",
    11: "elfte ellevte eleventh elfter onzieme elfde",
    12: "tolfte tolvte twelfth zwolfte zwolfter douzieme twaalfde",
    13: "trettonde trettende thirteenth dreizehnte treizieme dertiende",
    14: "fjortonde fjortende fourteenth vierzehnte quatorzieme veertiende",
    15: "femtonde femtende fifteenth funfzehnte quinzieme vijftiende",
    20: "tjugonde tyvende twentieth zwanzigste vingtieme twintigste",
}
# (number, word, languages): counted only in a text of such a language.
_OF_A_LANGUAGE: tuple[tuple[int, str, str], ...] = (
    (2, "to", "da"),
    (4, "fire", "da"),
    (6, "sex", "sv"),
    (8, "otte", "da"),
    (9, "ni", "nordic"),
    (10, "ti", "da"),
    (7, "sept", "fr"),
    (9, "neuf", "fr"),
    (10, "dix", "fr"),
    (11, "elf", "de"),
    (11, "elf", "nl"),
    (11, "onze", "fr"),
    (16, "seize", "fr"),
    (100, "cent", "fr"),
    (1, "premier", "fr"),
    (30, "tredive", "da"),
    (2, "andra", "sv"),
    (2, "andre", "da"),
    (2, "annen", "da"),
    (2, "anden", "da"),
    (2, "second", "en"),
    (2, "second", "fr"),
)
# "One" is also an article: it counts only where it stands last, or after a word for a part.
_ONE = frozenset(("ett", "en", "ei", "et", "one", "ein", "eins", "eine", "un", "une", "een", "yksi"))
_WORD_VALUES = {
    word: str(value) for table in (_CARDINALS, _ORDINALS) for value, words in table.items() for word in words.split()
}
_ORDINAL_VALUES = {word: value for value, words in _ORDINALS.items() for word in words.split()} | dict.fromkeys(
    ("andra", "andre", "annen", "anden", "annan", "second"), 2
)
_ORDINAL_VALUES["premier"] = 1
_LANGUAGE_VALUES = {
    (word, language): str(value) for value, word, group in _OF_A_LANGUAGE for language in _LANGUAGES[group]
}
_LANGUAGE_WORDS = frozenset(word for _, word, _ in _OF_A_LANGUAGE)
# Swedish, Norwegian, Danish, English, German, French, Dutch, Finnish; then numbers of issues; then school years.
_PART_WORDS = """
    del dl delen volym volume volumes vol band bd bind part pt teil tl tome tom t deel osa bok book bog buch boek
    nr no number nummer numero num hefte haft heft issue
    arskurs ak klass klasse trinn grade
"""
PART_WORDS = frozenset(_PART_WORDS.split())
_SAFE_SMALL_ROMAN = frozenset(("ii", "iii", "iv", "vii", "viii", "ix", "xii", "xiii", "xiv"))

_ROMAN = re.compile(r"X{0,3}(IX|IV|V?I{0,3})$")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}
_TOKEN = re.compile(r"[^\W_]+")
_THOUSANDS = re.compile(r"(?<!\d)(\d{1,3})[.,\u00a0\u2009\u202f ](\d{3})(?![\d])")
_SHORT_YEAR = re.compile(r"(?<!\d)((?:1[5-9]|20)(\d\d))\s*[/\u2010-\u2015-]\s*(\d\d)(?!\d)")
_ORDINAL_FIGURE = re.compile(r"^(\d+)(st|nd|rd|th|e|er|eme|re|te|ste|de|ende|dje|ja)$")
_ORDINAL_COLON = re.compile(r"(\d):(?:[ae]|an|en|ans|ens|e)\b")


@lru_cache(maxsize=16384)
def words_with_numbers(text: str, language: str) -> tuple[tuple[str, bool], ...]:
    """The words of `text`, folded, numbers as figures; each with whether it is a number.

    `language` is the MARC code of the text's language, empty where unknown. Lines of `text` are the subfields: a single
    letter that ends a line after other words ("Engelska B") counts as a number too, and so does a word that has a
    figure in it ("7a"). Roman figures go to 39; single ones count where they end a line or follow a word for a part.
    """
    spelled = with_symbols_spelled(text)
    composed = spelled if spelled.isascii() else unicodedata.normalize("NFC", spelled)
    joined = _THOUSANDS.sub(r"\1\2", composed)
    joined = _ORDINAL_COLON.sub(r"\1", _SHORT_YEAR.sub(_full_years, joined))
    words: list[tuple[str, bool]] = []
    for line in joined.split("\n"):
        tokens = _TOKEN.findall(line)
        shouting = line.isupper()
        for place, token in enumerate(tokens):
            after_part = place > 0 and plain_letters(tokens[place - 1]) in PART_WORDS
            is_last = place == len(tokens) - 1 and (place > 0 or bool(words))
            words.append(_read(token, language, after_part, is_last, shouting))
    return tuple(words)


@lru_cache(maxsize=16384)
def numbers_in(text: str, language: str) -> tuple[str, ...]:
    """The numbers of `text` as figures, sorted. See `words_with_numbers`."""
    return tuple(sorted(word for word, is_number in words_with_numbers(text, language) if is_number))


def number_key(text: str, language: str) -> str:
    """The whole text as one key: words and numbers, words for a part before a number left out."""
    words = words_with_numbers(text, language)
    kept = [
        word
        for place, (word, _) in enumerate(words)
        if not (word in PART_WORDS and place + 1 < len(words) and words[place + 1][1])
    ]
    return " ".join(kept)


def ordinal(word: str) -> int | None:
    """The value of a folded ordinal or cardinal word of any of the languages, or of "2nd"; None for other words."""
    if word in _ORDINAL_VALUES:
        return _ORDINAL_VALUES[word]
    if word.isdigit():
        return int(word[:6])
    if figure := _ORDINAL_FIGURE.match(word):
        return int(figure.group(1)[:6])
    value = _WORD_VALUES.get(word)
    return int(value) if value else None


def roman(token: str) -> int | None:
    """The value of a Roman figure in capitals up to XXXIX; None for anything else."""
    if not token or not _ROMAN.match(token):
        return None
    values = [_ROMAN_VALUES[letter] for letter in token]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _full_years(match: re.Match[str]) -> str:
    """ "2024/25" is "2024 2025"; "1998-12" (a month) is left as it is."""
    year, end, short = match.group(1), match.group(2), match.group(3)
    return f"{year} {year[:2]}{short}" if int(short) > int(end) else match.group()


def _read(token: str, language: str, after_part: bool, is_last: bool, shouting: bool) -> tuple[str, bool]:
    word = plain_letters(token)
    if any("0" <= letter <= "9" for letter in word):
        figure = _ORDINAL_FIGURE.match(word)
        return (figure.group(1) if figure else word).lstrip("0") or "0", True
    if (value := _WORD_VALUES.get(word)) is not None:
        return value, True
    if word in _LANGUAGE_WORDS and (value := _LANGUAGE_VALUES.get((word, language))) is not None:
        return value, True
    if word in _ONE and (after_part or is_last):
        return "1", True
    if (figure_value := roman(token)) is not None:
        # In a title all in capitals "VI" may be Swedish for "we".
        certain = after_part or is_last or (len(token) > 1 and not (shouting and token == "VI"))
        return (str(figure_value), True) if certain else (word, False)
    if word in _SAFE_SMALL_ROMAN:
        return str(roman(word.upper())), True
    if len(token) == 1 and is_last and token.isupper():
        return word, True
    return word, False
