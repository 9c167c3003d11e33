"""The labelled set: pairs of records of which a person has said whether they are one book.

Every pair is built from invented books by small builders, one trap each. `labelled_pairs()` gives them all.
"""

from __future__ import annotations

from tests.unit.labelled_pairs import carriers, editions, numbers_and_sets, people_and_series, titles
from tests.unit.labelled_pairs.builders import Bib, LabelledPair

__all__ = ["Bib", "LabelledPair", "labelled_pairs"]


def labelled_pairs() -> tuple[LabelledPair, ...]:
    """Every pair, in the order of the modules."""
    modules = (numbers_and_sets, carriers, editions, titles, people_and_series)
    return tuple(pair for module in modules for pair in module.pairs())
