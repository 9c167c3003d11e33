"""Bibs of the catalogue against each other: which of them look like one, by the evidence of matching and nothing else.

A pair is judged as if the later bib had been delivered while the earlier one was there. Bibs that were merged into one
count with their own records: what is like one of them is like the bib.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from schemas.outcomes import Verdict
from schemas.register.matching import MatchingPolicy
from tasks.matching.candidates import FoundBy, find_alike, merged_away
from tasks.matching.evidence import compare
from tasks.matching.features import MatchFeatures
from tasks.matching.judging import existing_features
from tasks.matching.verdict import judge_pair

Pair = tuple[int, int]
"""Two bib ids, the lower one first."""


class PairVerdict(NamedTuple):
    """What the evidence says of a pair. `evidence` is JSON-able; its incoming side is the bib with the higher id."""

    verdict: Verdict
    score: float
    rule: str
    reason: str
    evidence: dict[str, Any]
    vetoes: tuple[str, ...] = ()
    """What conflicts, in words."""
    is_unlike: bool = False
    """No number leads from one to the other, and the titles differ."""

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """The more alike, the lower."""
        return self.verdict is not Verdict.MATCH, bool(self.vetoes), -self.score


class Looked(NamedTuple):
    """Pairs that look like one, and numbers that too many bibs share to say anything."""

    pairs: dict[Pair, PairVerdict]
    crowded: tuple[str, ...]


def look_alike(connection: Connection, bib_ids: Collection[int], policy: MatchingPolicy) -> Looked:
    """Which bibs of the catalogue look like one of `bib_ids`: those that matching would match, or ask about."""
    alike = find_alike(connection, bib_ids, policy.serial_levels, policy.max_candidates)
    ids = {*alike.found, *(other for its in alike.found.values() for other in its)}
    merged = merged_away(connection, ids)
    ways = _ways(alike.found)
    ways = {pair: how for pair, how in ways.items() if _standing(pair, merged) is not None}
    features = existing_features(connection, {bib_id for pair in ways for bib_id in pair})
    best: dict[Pair, PairVerdict] = {}
    for pair, how in sorted(ways.items()):
        said = judge_two(pair, features, how, policy)
        standing = _standing(pair, merged)
        if said.verdict is not Verdict.NO and standing is not None:
            known = best.get(standing)
            if known is None or said.rank < known.rank:
                best[standing] = said
    return Looked(best, alike.crowded)


def _ways(found: FoundBy) -> dict[Pair, set[str]]:
    """By which schemes each pair was found, from either side."""
    ways: dict[Pair, set[str]] = {}
    for bib_id, others in found.items():
        for other, how in others.items():
            ways.setdefault((min(bib_id, other), max(bib_id, other)), set()).add(how)
    return ways


def _standing(pair: Pair, merged: Mapping[int, int]) -> Pair | None:
    """The pair as the bibs stand now; None where the two are one already."""
    one, other = (merged.get(each, each) for each in pair)
    return None if one == other else (min(one, other), max(one, other))


def judge_two(
    pair: Pair, features: Mapping[int, MatchFeatures], found_by: Collection[str], policy: MatchingPolicy
) -> PairVerdict:
    """The verdict on two bibs, as matching gives it on a delivered record and a candidate."""
    first, second = pair
    evidence = compare(features[second], features[first], policy, found_by)
    opinion = judge_pair(first, evidence, policy)
    return PairVerdict(
        opinion.verdict,
        evidence.score,
        opinion.rule,
        opinion.reason,
        evidence.as_json(),
        tuple(f"{each.name.replace('_', ' ')}: {each.text}" for each in evidence.vetoes),
        not found_by and not evidence.identity and evidence.title.likeness in ("differs", "missing"),
    )


def judge_bibs(connection: Connection, pair: Pair, policy: MatchingPolicy) -> PairVerdict:
    """What the evidence says of two bibs that a person names."""
    found = find_alike(connection, pair, policy.serial_levels, policy.max_candidates).found
    how = _ways(found).get((min(pair), max(pair)), set())
    ordered = (min(pair), max(pair))
    return judge_two(ordered, existing_features(connection, ordered), how, policy)
