"""Evidence of all candidates in, one of three endings out: match, review or new.

The first aim is that no two books are made one. Only a number that can decide (a valid 020 $a on both sides, the ISSN
of two serials, our own control number, the same 035, the EAN of recordings without ISBN) together with the title ends
in a match by itself; what is uncertain goes to a person. The order in which candidates come never matters, and nothing
is ever decided by the lowest id. Rules: docs/matching.md, *Endings*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.outcomes import Verdict
from schemas.register.matching import MatchingPolicy
from tasks.matching.evidence import Evidence, MatchFeatures, compare

# Vetoes that explain why volumes of one work share a number that nobody marked as the set's.
_VOLUME_VETOES = frozenset({"part", "title_number"})
_OWN_IDENTITY = frozenset({"control_number", "035"})


class Ending(StrEnum):
    """What becomes of the incoming bib as far as matching goes."""

    MATCH = "match"
    REVIEW = "review"
    NEW = "new"


class CandidateVerdict(NamedTuple):
    """One candidate considered. `evidence` is JSON-able: see `Evidence.as_json`."""

    bib_id: int
    verdict: Verdict
    score: float
    rule: str
    evidence: dict[str, Any]


class Judgement(NamedTuple):
    """How it ended, and why. `bib_id` only where it is a match. Candidates by score, best first, then by id."""

    ending: Ending
    bib_id: int | None
    rule: str
    reason: str
    candidates: tuple[CandidateVerdict, ...]


class _Opinion(NamedTuple):
    """A candidate judged by itself, before the others are looked at."""

    bib_id: int
    verdict: Verdict
    rule: str
    reason: str
    evidence: Evidence
    merged_id: int | None = None
    """The bib whose record it was, where that was merged into `bib_id`."""


NOT_MERGED: Mapping[int, int] = MappingProxyType({})


def judge(
    incoming: MatchFeatures,
    candidates: Sequence[tuple[int, MatchFeatures, str]],
    policy: MatchingPolicy,
    merged: Mapping[int, int] = NOT_MERGED,
) -> Judgement:
    """Judge an incoming record against its candidates: (bib_id, features, scheme that found it).

    A candidate found by several schemes may come once for each. The result does not depend on their order. `merged`
    says which candidates were merged into which bib: what fits the record of one of them fits the bib.
    """
    features: dict[int, MatchFeatures] = {}
    found_by: dict[int, set[str]] = defaultdict(set)
    for bib_id, existing, how in candidates:
        if how == "issn" and not (incoming.bib_level and incoming.bib_level in policy.serial_levels):
            continue  # the ISSN of a monograph is its series': hundreds of other books have it
        features[bib_id] = existing
        found_by[bib_id].add(how)
    considered = sorted(features)[: policy.max_candidates]
    opinions = [
        judge_pair(bib_id, compare(incoming, features[bib_id], policy, found_by[bib_id]), policy)
        for bib_id in considered
    ]
    if merged:
        opinions = _one_a_bib(opinions, merged)
    opinions.sort(key=lambda each: (-each.evidence.score, each.bib_id))
    if len(features) > policy.max_candidates:
        return _too_many(opinions, len(features), policy)
    return _decide(opinions, policy)


_RANK = {Verdict.MATCH: 0, Verdict.REVIEW: 1, Verdict.NO: 2}


def _one_a_bib(opinions: list[_Opinion], merged: Mapping[int, int]) -> list[_Opinion]:
    """Of a bib and those that were merged into it the best opinion counts, as one on the bib."""
    best: dict[int, _Opinion] = {}
    for each in sorted(opinions, key=lambda each: (_RANK[each.verdict], -each.evidence.score, each.bib_id)):
        into = merged.get(each.bib_id)
        if into is None:
            best.setdefault(each.bib_id, each)
        else:
            best.setdefault(into, each._replace(bib_id=into, merged_id=each.bib_id))
    return list(best.values())


def judge_pair(bib_id: int, evidence: Evidence, policy: MatchingPolicy) -> _Opinion:
    """The verdict on one candidate by itself."""

    def opinion(verdict: Verdict, rule: str, reason: str) -> _Opinion:
        return _Opinion(bib_id, verdict, rule, reason, evidence)

    if evidence.isbn.is_explained and evidence.identity in ((), ("isbn_a",)):
        is_volume = any(each.name in _VOLUME_VETOES for each in evidence.vetoes)
        if evidence.isbn.sharing != "a" or is_volume:
            rule = f"explained:{evidence.isbn.explanation}"
            return opinion(Verdict.NO, rule, f"the shared number is not this record's own: {evidence.isbn.text}")
    if evidence.vetoes:
        veto = evidence.vetoes[0]
        if evidence.identity:
            return opinion(Verdict.REVIEW, f"veto:{veto.name}", f"the numbers agree, but {veto.text}")
        return opinion(Verdict.NO, f"veto:{veto.name}", veto.text)
    if not evidence.identity:
        return _weak(bib_id, evidence, policy)
    if evidence.doubts and evidence.title.likeness != "differs":
        doubt = evidence.doubts[0]
        return opinion(Verdict.REVIEW, f"doubt:{doubt.name}", f"the numbers agree, but {doubt.text}")
    second = _second_feature(evidence, policy)
    if not second or evidence.doubts:
        return opinion(Verdict.REVIEW, f"{evidence.identity[0]}_unconfirmed", _unconfirmed(evidence))
    if evidence.score < policy.match_at:
        reason = f"score {evidence.score} is below {policy.match_at}"
        return opinion(Verdict.REVIEW, f"{evidence.identity[0]}_low_score", reason)
    reason = f"{_words(evidence.identity[0])} and {_SECOND_IN_WORDS[second]} agree, score {evidence.score}"
    return opinion(Verdict.MATCH, f"{evidence.identity[0]}+{second}", reason)


def _weak(bib_id: int, evidence: Evidence, policy: MatchingPolicy) -> _Opinion:
    """Only weak numbers ($z, invalid, of a set or another carrier): a person decides, where the title speaks for it."""
    has_second = evidence.points("title") > 0 or (
        evidence.title.likeness in ("missing", "other_script") and evidence.points("authors") > 0
    )
    has_number = any(each.points > 0 for each in evidence.items if each.feature in ("isbn", "ean"))
    if has_number and has_second and evidence.score >= policy.review_at:
        rule = "isbn_weak_only" if evidence.isbn.shared else "number_weak_only"
        reason = f"only weak numbers agree: {evidence.isbn.text}" if evidence.isbn.shared else "only an EAN agrees"
        return _Opinion(bib_id, Verdict.REVIEW, rule, reason, evidence)
    return _Opinion(bib_id, Verdict.NO, "too_little", f"too little agrees, score {evidence.score}", evidence)


def _second_feature(evidence: Evidence, policy: MatchingPolicy) -> str:
    """What confirms the number: the title, or an equal title proper together with an author; empty where nothing."""
    points = evidence.points("title")
    if points >= policy.strong_feature:
        return "title"
    if evidence.title.likeness != "part":
        return ""
    if policy.title_part_with_issn and evidence.identity[0] == "issn":
        return "title_part"
    authors = evidence.points("authors")
    if policy.title_part_with_authors and authors > 0 and points + authors >= policy.strong_feature:
        return "title_part+authors"
    return ""


def _decide(opinions: list[_Opinion], policy: MatchingPolicy) -> Judgement:
    matches = [each for each in opinions if each.verdict is Verdict.MATCH]
    reviews = [each for each in opinions if each.verdict is Verdict.REVIEW]
    if not matches:
        if reviews:
            best = reviews[0]
            return _ending(Ending.REVIEW, None, best.rule, best.reason, opinions)
        if opinions:
            return _ending(Ending.NEW, None, "no_candidate_fits", opinions[0].reason, opinions)
        return _ending(Ending.NEW, None, "no_candidate", "no number leads to a bib of the catalogue", opinions)
    best = matches[0]
    rivals = [each for each in opinions if each is not best and _is_rival(each, best, policy)]
    if rivals:
        listed = ", ".join(str(each.bib_id) for each in sorted([best, *rivals], key=lambda each: each.bib_id))
        reason = f"bibs {listed} fit about equally well"
        return _ending(Ending.REVIEW, None, "several_equal", reason, _with_match_as_review(opinions, "several_equal"))
    for each in reviews:
        if _OWN_IDENTITY & set(each.evidence.identity) and not _OWN_IDENTITY & set(best.evidence.identity):
            reason = f"the record has the number of bib {each.bib_id}, but fits bib {best.bib_id} better: {each.reason}"
            asked = _with_match_as_review(opinions, "identity_conflict")
            return _ending(Ending.REVIEW, None, "identity_conflict", reason, asked)
    settled = [
        each if each is best or each.verdict is Verdict.NO else each._replace(verdict=Verdict.NO, rule="outranked")
        for each in opinions
    ]
    return _ending(Ending.MATCH, best.bib_id, best.rule, best.reason, settled)


def _is_rival(each: _Opinion, best: _Opinion, policy: MatchingPolicy) -> bool:
    """Fits, or may fit, and is not clearly behind. A veto takes a candidate out of the race."""
    if each.verdict is Verdict.NO or each.evidence.vetoes:
        return False
    return each.evidence.score > best.evidence.score - policy.clear_lead


def _with_match_as_review(opinions: list[_Opinion], rule: str) -> list[_Opinion]:
    return [
        each._replace(verdict=Verdict.REVIEW, rule=rule) if each.verdict is Verdict.MATCH else each for each in opinions
    ]


def _too_many(opinions: list[_Opinion], found: int, policy: MatchingPolicy) -> Judgement:
    reason = f"{found} bibs share the number, more than {policy.max_candidates}"
    asked = _with_match_as_review(opinions, "too_many_candidates")
    return _ending(Ending.REVIEW, None, "too_many_candidates", reason, asked)


def _ending(ending: Ending, bib_id: int | None, rule: str, reason: str, opinions: list[_Opinion]) -> Judgement:
    return Judgement(
        ending,
        bib_id,
        rule,
        reason,
        tuple(
            [
                CandidateVerdict(each.bib_id, each.verdict, each.evidence.score, each.rule, _evidence(each))
                for each in opinions
            ]
        ),
    )


def _evidence(opinion: _Opinion) -> dict[str, Any]:
    evidence = opinion.evidence.as_json()
    return evidence if opinion.merged_id is None else {**evidence, "merged_bib": opinion.merged_id}


def _unconfirmed(evidence: Evidence) -> str:
    if evidence.title.likeness in ("missing", "other_script"):
        return f"{_words(evidence.identity[0])} agrees, but {evidence.title.text}"
    return f"{_words(evidence.identity[0])} agrees, but the titles do not: {evidence.title.text}"


_SECOND_IN_WORDS = {
    "title": "the title",
    "title_part": "the title proper",
    "title_part+authors": "the title proper and an author",
}
_IN_WORDS = {
    "isbn_a": "a valid ISBN",
    "issn": "the ISSN",
    "control_number": "our control number",
    "035": "the number of the same source",
    "ean": "the EAN",
}


def _words(identity: str) -> str:
    return _IN_WORDS[identity]
