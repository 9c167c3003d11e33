"""The one ISBN rule: every reading of an ISBN or ISSN in Samkat goes through here (docs/matching.md, *ISBN*).

A number is taken out of whatever stands around it and becomes one key of 13 digits. A wrong check digit makes it
invalid: it is never repaired. Check digits and the step from 10 to 13 are python-stdnum's, what surrounds the number
is ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from stdnum import ean, isbn, issn
from stdnum.exceptions import ValidationError

from schemas.marc import IsbnFact

_PLAIN = re.compile(r"97[89][0-9]{10}|[0-9]{9}[0-9Xx]")
_LABEL = re.compile(r"(?i)\bisbn(?:[- ]?1[03](?![0-9-]))?[ .:]*")
# A number is digits with dashes inside (one unit), units with spaces between them may belong together.
_UNIT = re.compile(r"[0-9]+(?:-+[0-9]+)*(?:-*[Xx](?![A-Za-z0-9]))?|(?<=[0-9] )[Xx](?![A-Za-z0-9])")
_DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0x2043, 0xFE58, 0xFE63, 0xFF0D], "-")
_EDGES = " \t\r\n,;:/=+-"
_MINIMUM_DIGITS = 8
"""Fewer digits in a row are a price, a volume or a year, not a number that somebody took for an ISBN."""

_SET_WORDS = re.compile(
    r"(?i)\b(?:(?:box|gift|boxed|complete|komplett|the|whole)?[ -]?sets?|volume set"
    r"|hela verket|hele v[eæ]rket|samlet (?:v[eæ]rk|utg\w*)"
    r"|helhet(?:en)?|samtliga (?:band|delar)|alle bind|komplett?|kompl\.?|kpl\.?|koko(?: teos| sarja)?"
    r"|gesamtwerk|gesamtausg\w*|l['’]?ensemble|ensemble|(?:œ|oe)uvre compl[eè]te|s[eé]rie compl[eè]te"
    r"|volledige?(?: reeks| werk| set)?|compleet|obra completa|opera completa)(?!\w)"
)
_VOLUME = re.compile(
    r"(?i)\b(?:v|vol|volume|del|d|bd|band|bind|b|t|tome|teil|part|pt|osa|deel|dl|nide)\.?\s*[0-9]+(?!\s*[-–0-9])"
)

_new = tuple.__new__
"""Makes a named tuple in half the time."""
_RUNNING = frozenset({"012345678", "123456789", "987654321", "876543210"})
"""Nine digits that people type to get past a form. Their check digits are right."""


def isbn_fact(raw: str, subfield: Literal["a", "z"], qualifier: str = "") -> IsbnFact:
    """What one 020 $a or $z says. `qualifier` is its $q; text around the number is put before it.

    `status` is `valid`, `set` (a valid number that its qualifier gives to a whole work of several volumes) or
    `invalid` (wrong check digit, wrong length, a dummy number, no number); only the first two have an `isbn13`.
    """
    number, around = _number_and_rest(raw)
    words = qualifier.strip().strip("()").strip() if qualifier else ""
    if around:
        words = f"{around}; {words}" if words else around
    key = _key(number) if number else None
    if key is None:
        return IsbnFact(None, raw.strip(), subfield, words, "invalid")
    status: Literal["valid", "set"] = "set" if words and _names_a_set(words) else "valid"
    return _new(IsbnFact, (key, raw.strip(), subfield, words, status))


def has_number(raw: str) -> bool:
    """Whether somebody may have meant this as an ISBN, right or wrong: it holds at least 8 digits in a row."""
    return _PLAIN.fullmatch(raw) is not None or bool(_number_and_rest(raw)[0])


def isbn13_of(text: str) -> str | None:
    """The key of the first valid ISBN in a text, or None: for numbers that people type, and lists of numbers."""
    number, _ = _number_and_rest(text)
    return _key(number) if number else None


def isbn10_of(isbn13: str) -> str | None:
    """The ten-digit form of a valid key; None for 979, which has none."""
    if not isbn13.startswith("978"):
        return None
    return str(isbn.to_isbn10(isbn13))


def keys_of(isbns: Iterable[IsbnFact]) -> tuple[str, ...]:
    """The numbers that may be used as match keys: valid $a, each once, in order.

    A set's number counts only where the record has no number of its own: it stands on every volume of the set.
    """
    own: dict[str, None] = {}
    of_set: dict[str, None] = {}
    for each in isbns:
        if each.subfield == "a" and each.isbn13 is not None:
            (of_set if each.status == "set" else own)[each.isbn13] = None
    return tuple(own or of_set)


def issn_key(raw: str) -> str | None:
    """The ISSN in a 022 $a as 8 characters without a dash, or None where there is none with a right check digit."""
    text = _plain_text(raw)
    for match in re.finditer(r"(?<![0-9])[0-9]{4} ?-? ?[0-9]{3}[0-9Xx](?![0-9A-Za-z])", text):
        try:
            return str(issn.validate(match.group()))
        except ValidationError:
            continue
    return None


@lru_cache(maxsize=4096)
def _names_a_set(words: str) -> bool:
    """Set words count unless the qualifier is about one volume ("v. 2 of the set")."""
    return _SET_WORDS.search(words) is not None and _VOLUME.search(words) is None


def _number_and_rest(raw: str) -> tuple[str, str]:
    """The number, digits and X only, and the text around it; an empty number where there is none.

    Records hold `9789100123456`, `978-91-0-012345-6` and `9789100123456 (inb.)` in nearly every 020; these are taken
    here, everything else is looked at with care.
    """
    if _PLAIN.fullmatch(raw):
        return raw, ""
    head, _, rest = raw.partition(" ")
    bare = head.replace("-", "")
    if _PLAIN.fullmatch(bare) and head.isascii() and not any(char.isdigit() for char in rest):
        return bare, _qualifier(rest)
    return _search(raw)


@lru_cache(maxsize=4096)
def _search(raw: str) -> tuple[str, str]:
    """As `_number_and_rest`, for what is written in any other way."""
    text = _LABEL.sub(" ", _plain_text(raw))
    units = list(_UNIT.finditer(text))
    best: tuple[int, int, str] | None = None
    for first in range(len(units)):
        for last in range(first, min(first + 6, len(units))):
            if last > first and text[units[last - 1].end() : units[last].start()].strip(" -"):
                break
            number = "".join(each.group().replace("-", "") for each in units[first : last + 1]).upper()
            if not _PLAIN.fullmatch(number):
                continue
            found = (units[first].start(), units[last].end(), number)
            if _key(number) is not None:
                return number, _qualifier(text[: found[0]] + " " + text[found[1] :])
            best = best or found
    if best is None:
        best = next(
            (
                (each.start(), each.end(), each.group().replace("-", "").upper())
                for each in units
                if len(each.group().replace("-", "")) >= _MINIMUM_DIGITS
            ),
            None,
        )
    if best is None:
        return "", _qualifier(text)
    return best[2], _qualifier(text[: best[0]] + " " + text[best[1] :])


def _plain_text(raw: str) -> str:
    """Full width digits become digits, every dash is `-`, every space a space; invisible format characters go."""
    if raw.isascii():
        return raw
    # Dashes first: NFKC would make U+2011 another dash, and leaves the soft hyphen alone.
    text = unicodedata.normalize("NFKC", raw.translate(_DASHES)).translate(_DASHES)
    kept = []
    for char in text:
        category = unicodedata.category(char)
        if category == "Zs":
            kept.append(" ")
        elif category == "Pd":
            kept.append("-")
        elif category != "Cf":
            kept.append(_digit(char) if category == "Nd" else char)
    return "".join(kept)


def _digit(char: str) -> str:
    return str(unicodedata.digit(char))


def _qualifier(text: str) -> str:
    """Text around a number without the brackets and punctuation that held it."""
    return " ".join(text.replace("(", " ").replace(")", " ").replace("[", " ").replace("]", " ").split()).strip(_EDGES)


def _key(number: str) -> str | None:
    """The key of a bare number of 10 or 13 characters (X in capitals or not), or None where it is invalid or a dummy.

    The sum for 13 digits is the one thing done here and not by python-stdnum: it runs for nearly every record and
    takes a tenth of the time. tests/unit/test_isbn.py holds the two against each other.
    """
    if len(number) == 13:
        if not number.startswith(("978", "979")) or not number.isdigit() or _weighted_sum(number) % 10:
            return None
        key = number
    elif len(number) == 10:
        if not _has_right_isbn10_digit(number):
            return None
        key = "978" + number[:9] + ean.calc_check_digit("978" + number[:9])
    else:
        return None
    core = key[3:12]
    return None if core in _RUNNING or core.count(core[0]) == 9 else key


def _weighted_sum(digits: str) -> int:
    """Sum of the digits of an EAN-13 with weights 1, 3, 1, ... (`0` has code 48, and 7 + 3 x 6 = 25)."""
    codes = digits.encode("ascii")
    return sum(codes[::2]) + 3 * sum(codes[1::2]) - 25 * 48


def _has_right_isbn10_digit(number: str) -> bool:
    try:
        isbn.validate(number)
    except ValidationError:
        return False
    return True
