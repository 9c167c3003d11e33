"""Text folded for comparison: case, diacritics (composed or lost), punctuation and spacing gone.

What belongs here is the folding that every comparison shares, whatever is compared: titles, names, publishers, words
that name a carrier. A folded text is never shown to a person and never stored.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Letters that Unicode does not decompose, and that other catalogues write with plain ones.
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ħ": "h"})
_SPECIAL = re.compile("[æœøđðþłıħ]")
_COMBINING = re.compile("[\u0300-\u036f]+")
_WORDS = re.compile(r"[^\W_]+")
_ASCII_NOISE = str.maketrans({code: " " for code in range(128) if not chr(code).isalnum()})
_TELLING_SYMBOL = re.compile(r"(?<=[\w+])([+#])")
_LOOSE = re.compile("aa|ae|oe|ue")


def plain_letters(text: str) -> str:
    """`text` in lower case without diacritics, punctuation untouched."""
    lowered = text.casefold()
    if lowered.isascii():
        return lowered
    if _SPECIAL.search(lowered):
        lowered = lowered.translate(_LETTERS)
    return _COMBINING.sub("", unicodedata.normalize("NFKD", lowered))


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """`text` as its words of letters and digits, in plain lower case, one space between two words."""
    plain = plain_letters(text)
    if plain.isascii():
        return " ".join(plain.translate(_ASCII_NOISE).split())
    return " ".join(_WORDS.findall(plain))


def with_symbols_spelled(text: str) -> str:
    """`text` with + and # written out where they end a word: C, C++ and C# are three books, 5000 and 5000+ two."""
    if "+" not in text and "#" not in text:
        return text
    composed = unicodedata.normalize("NFC", text)  # a mark between letter and sign would hide the letter
    return _TELLING_SYMBOL.sub(lambda symbol: " plus" if symbol.group() == "+" else " sharp", composed)


def fold_loosely(folded: str) -> str:
    """A folded text where å and aa, ä and ae, ö and oe, ü and ue are one: an umlaut written out, or lost."""
    return _LOOSE.sub(lambda pair: pair.group()[1] if pair.group() == "aa" else pair.group()[0], folded)


def is_latin(folded: str) -> bool:
    """Whether a folded text has Latin letters: texts in two scripts cannot be compared letter by letter."""
    return any("a" <= letter <= "z" for letter in folded)
