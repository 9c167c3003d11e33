"""The language of the text: 008/35-37 and 041 $a. A translation shares author, cover and often the number."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from schemas.marc import Field

# Undetermined, none, several, not coded: they say nothing about the text.
_NEUTRAL = frozenset({"", "und", "zxx", "mul", "mis", "xxx", "n/a"})
# ISO 639-2/T and withdrawn codes that are still met, as the MARC code.
_SAME = {
    "deu": "ger",
    "fra": "fre",
    "nld": "dut",
    "isl": "ice",
    "ces": "cze",
    "ell": "gre",
    "zho": "chi",
    "fas": "per",
    "ron": "rum",
    "slk": "slo",
    "sqi": "alb",
    "hye": "arm",
    "eus": "baq",
    "mya": "bur",
    "cym": "wel",
    "kat": "geo",
    "mkd": "mac",
    "msa": "may",
    "scr": "hrv",
    "scc": "srp",
    "lap": "smi",
}
_NORWEGIAN = frozenset({"nob", "nno"})


def languages_of(fixed: str | None, fields_041: Iterable[Field]) -> frozenset[str]:
    """MARC codes of the text's languages; empty where the record says nothing certain.

    Old 041 fields run the codes together ("sweeng"). A 041 with $2 uses other codes and is passed over.
    """
    codes = set(_codes(fixed[35:38])) if fixed else set()
    for each in fields_041:
        if each.first("2") is None:
            for value in each.all("a"):
                codes.update(_codes(value))
    return frozenset(codes)


def languages_conflict(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether both sides name languages and share none. Norwegian agrees with both of its written forms."""
    if not one or not other or one & other:
        return False
    return not (("nor" in one and other & _NORWEGIAN) or ("nor" in other and one & _NORWEGIAN))


@lru_cache(maxsize=2048)
def _codes(value: str) -> tuple[str, ...]:
    plain = value.strip().lower()
    if len(plain) < 3 or len(plain) % 3 or not plain.isalpha():
        return ()
    pieces = (plain[start : start + 3] for start in range(0, len(plain), 3))
    return tuple(_SAME.get(piece, piece) for piece in pieces if piece not in _NEUTRAL)
