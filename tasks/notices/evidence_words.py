"""The details of the evidence in the reader's language.

Matching words them in English and the warehouse keeps them so. `[evidence_text]` of a phrase file has those sentences
as keys, with gaps: `"{n} off"`. A gap called `n` or `total` is a whole number. One called `kind` or `other_kind` is one
of our own words, or several, and is translated by `[evidence_word]`. Any other gap is what the records say, and stays.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache
from typing import NamedTuple

from tasks.notices.wording import Phrases

_SENTENCES = "evidence_text."
_WORD = "evidence_word."
_KINDS = ("kind", "other_kind")
_NUMBERS = ("n", "total")
_JOINER = ", "


class _Sentence(NamedTuple):
    """A sentence of a phrase file: its key without the section, and how to tell it."""

    key: str
    pattern: re.Pattern[str]


def evidence_in_words(text: str, phrases: Phrases) -> str | None:
    """The English detail `text` in the language of `phrases`; None where the language has no such sentence."""
    found = fitting_sentence(text, phrases)
    return found and phrases.phrases[f"{_SENTENCES}{found[0]}"].format(**found[1])


def fitting_sentence(text: str, phrases: Phrases) -> tuple[str, dict[str, str]] | None:
    """Which English sentence of `[evidence_text]` the detail is, and what stands in its gaps, in the language."""
    for sentence in _sentences(phrases):
        gaps = sentence.pattern.fullmatch(text)
        if gaps is None:
            continue
        said = {name: _filled(name, value, phrases) for name, value in gaps.groupdict().items()}
        values = {name: value for name, value in said.items() if value is not None}
        if len(values) == len(said):
            return sentence.key, values
    return None


def _filled(name: str, value: str, phrases: Phrases) -> str | None:
    """What stands in a gap; None where it asks for words of ours and has others."""
    if name not in _KINDS:
        return value
    words = [phrases.phrases.get(f"{_WORD}{word}") for word in value.split(_JOINER)]
    known = [word for word in words if word is not None]
    return _JOINER.join(known) if len(known) == len(words) else None


@lru_cache(maxsize=16)
def _sentences(phrases: Phrases) -> tuple[_Sentence, ...]:
    """Those of one language, the longest fixed parts first: "{kind} against {other_kind}" fits much."""
    found = []
    for key in phrases.phrases:
        if key.startswith(_SENTENCES):
            english = key.removeprefix(_SENTENCES)
            parts = list(string.Formatter().parse(english))
            pattern = "".join(re.escape(fixed) + _gap(name) for fixed, name, _, _ in parts)
            fixed_length = sum(len(fixed) for fixed, *_ in parts)
            found.append((fixed_length, _Sentence(english, re.compile(pattern, re.DOTALL))))
    return tuple(sentence for _, sentence in sorted(found, key=lambda each: -each[0]))


def _gap(name: str | None) -> str:
    if name is None:
        return ""
    return rf"(?P<{name}>\d+)" if name in _NUMBERS else f"(?P<{name}>.+)"
