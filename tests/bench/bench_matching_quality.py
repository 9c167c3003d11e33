"""How well records are matched, on the labelled set, next to three other ways of matching.

The others are: the 020 $a as a string; the first ISBN that hits, normalised; and the weights of the Finnish union
catalogue exactly as the project's reference gives them (a match at a sum of at least 0.9 with one feature of at least
0.4, -1 is a veto). Run with `python -m tests.bench.bench_matching_quality`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.table import Table

from schemas.register.matching import MatchingPolicy
from tasks.marc.folding import fold
from tasks.matching.evidence import MatchFeatures, compare
from tasks.matching.numbers import number_key
from tasks.matching.persons import compatible
from tasks.matching.verdict import judge
from tests.unit.labelled_pairs import Bib, LabelledPair, labelled_pairs

_VETO = -1.0


class Quality(NamedTuple):
    """Counts of one way of matching over the labelled set."""

    name: str
    matched_same: int
    matched_different: int
    asked: int
    same: int
    pairs: int
    asked_same: int = 0

    @property
    def precision(self) -> float:
        """Of what was made one, the share that is one."""
        matched = self.matched_same + self.matched_different
        return self.matched_same / matched if matched else 1.0

    @property
    def recall(self) -> float:
        """Of what is one, the share that was made one without asking."""
        return self.matched_same / self.same

    @property
    def review_share(self) -> float:
        """Of all pairs, the share that a person is asked about."""
        return self.asked / self.pairs


def samkat_ending(pair: LabelledPair) -> str:
    """match, review or new, as the project judges."""
    existing = pair.existing.features()
    candidates = [(1, existing, how) for how in pair.found_by()]
    return judge(pair.incoming.features(), candidates, MatchingPolicy()).ending


def exact_string(pair: LabelledPair) -> str:
    """A 020 $a of both sides is the same string."""
    ours, theirs = (_raw(bib) for bib in (pair.incoming, pair.existing))
    return "match" if ours & theirs else "new"


def first_isbn_hit(pair: LabelledPair) -> str:
    """The first valid number, $a or $z, that the other side has as well; no second evidence."""
    theirs = {fact.isbn13 for fact in pair.existing.isbn_facts() if fact.isbn13}
    return "match" if any(fact.isbn13 in theirs for fact in pair.incoming.isbn_facts() if fact.isbn13) else "new"


def finnish_weights(pair: LabelledPair) -> str:
    """The table of the reference, section 4, and nothing else."""
    if not pair.found_by():
        return "new"
    one, other = pair.incoming.features(), pair.existing.features()
    points = [
        _finnish_isbn(pair),
        _finnish_title(pair.incoming, pair.existing),
        _agreement(one.record_type, other.record_type, 0.1, -0.5),
        _agreement(one.bib_level, other.bib_level, 0.1, -0.2),
        _finnish_year(one, other),
        _agreement(pair.incoming.media, pair.existing.media, 0.0, _VETO),
        _finnish_authors(one, other),
    ]
    if _VETO in points:
        return "new"
    return "match" if sum(points) >= 0.9 and max(points) >= 0.4 else "new"


def measure(name: str, ending: Callable[[LabelledPair], str], pairs: Sequence[LabelledPair]) -> Quality:
    """Judge every pair in one way."""
    endings = [(pair.truth, ending(pair)) for pair in pairs]
    return Quality(
        name,
        endings.count(("same", "match")),
        endings.count(("different", "match")),
        sum(each == "review" for _, each in endings),
        sum(truth == "same" for truth, _ in endings),
        len(endings),
        endings.count(("same", "review")),
    )


def quality() -> list[Quality]:
    """All four ways over the whole labelled set."""
    pairs = labelled_pairs()
    return [
        measure("Samkat", samkat_ending, pairs),
        measure("exact ISBN string", exact_string, pairs),
        measure("first ISBN hit, normalised", first_isbn_hit, pairs),
        measure("Finnish weights", finnish_weights, pairs),
    ]


def speed(rounds: int = 20) -> dict[str, float]:
    """Pairs a second over the labelled set: features of one record, comparison, the whole judgement."""
    policy = MatchingPolicy()
    pairs = labelled_pairs()
    records = [(pair.incoming.record(), pair.incoming.isbn_facts()) for pair in pairs]
    from tasks.matching.evidence import features_of

    features = [(pair.incoming.features(), pair.existing.features()) for pair in pairs]
    return {
        "features of a record": _rate(rounds, lambda: [features_of(*each) for each in records], len(pairs)),
        "compare": _rate(rounds, lambda: [compare(*each, policy) for each in features], len(pairs)),
        "judge one candidate": _rate(
            rounds, lambda: [judge(one, [(1, other, "isbn_a")], policy) for one, other in features], len(pairs)
        ),
    }


def _rate(rounds: int, work: Callable[[], object], count: int) -> float:
    started = time.process_time()
    for _ in range(rounds):
        work()
    return rounds * count / (time.process_time() - started)


def _raw(bib: Bib) -> set[str]:
    return {value if isinstance(value, str) else value[0] for value in bib.isbns}


def _numbers(bib: Bib, subfield: str, status: tuple[str, ...]) -> set[str]:
    return {fact.isbn13 or fact.raw for fact in bib.isbn_facts() if fact.subfield == subfield and fact.status in status}


def _finnish_isbn(pair: LabelledPair) -> float:
    valid = ("valid", "set")
    ours, theirs = _numbers(pair.incoming, "a", valid), _numbers(pair.existing, "a", valid)
    our_z, their_z = _numbers(pair.incoming, "z", valid), _numbers(pair.existing, "z", valid)
    if ours & theirs:
        return 0.75 * 0.8 ** len(ours ^ theirs)
    if shared := (ours & their_z) | (theirs & our_z):
        return 0.75 * 0.8 ** len((ours ^ theirs) - shared)
    bad = ("invalid",)
    if our_z & their_z or _numbers(pair.incoming, "a", bad) & _numbers(pair.existing, "a", bad):
        return 0.5
    return -0.75 if ours and theirs else 0.0


def _finnish_title(one: Bib, other: Bib) -> float:
    ours, theirs = (fold(" ".join((bib.title, bib.rest, bib.number, bib.part))) for bib in (one, other))
    if not fold(one.title) or not fold(other.title):
        return _VETO
    if one.number and other.number and number_key(one.number, "") != number_key(other.number, ""):
        return _VETO
    if ours == theirs or number_key(ours, one.language) == number_key(theirs, other.language):
        return 0.5
    if Levenshtein.normalized_similarity(ours, theirs) >= 0.9:
        return 0.4
    missing = (not one.rest or not other.rest or one.rest == other.rest) and (
        not one.part or not other.part or one.part == other.part
    )
    return 0.25 if fold(one.title) == fold(other.title) and missing else -0.5


def _finnish_year(one: MatchFeatures, other: MatchFeatures) -> float:
    if not one.years or not other.years:
        return 0.0
    apart = abs(min(one.years) - min(other.years))
    return 0.1 if apart == 0 else -0.125 if apart == 1 else _VETO


def _finnish_authors(one: MatchFeatures, other: MatchFeatures) -> float:
    if not one.persons or not other.persons:
        return 0.0
    policy = MatchingPolicy()
    found = sum(any(compatible(each, further, policy) for further in other.persons) for each in one.persons)
    return 0.3 * found / max(len(one.persons), len(other.persons))


def _agreement(one: str, other: str, equal: float, different: float) -> float:
    if not one or not other:
        return 0.0
    return equal if one == other else different


def main() -> None:
    """Print the tables."""
    console = Console()
    table = Table("way", "precision", "recall", "review", "false merges", "missed", title="Matching, labelled set")
    for each in quality():
        missed = each.same - each.matched_same - each.asked_same
        table.add_row(
            each.name,
            f"{each.precision:.1%}",
            f"{each.recall:.1%}",
            f"{each.review_share:.1%}",
            str(each.matched_different),
            str(missed),
        )
    console.print(table)
    rates = Table("step", "a second", "µs each", title="Speed, one process, CPU time")
    for step, rate in speed().items():
        rates.add_row(step, f"{rate:,.0f}", f"{1e6 / rate:.0f}")
    console.print(rates)


if __name__ == "__main__":
    main()
