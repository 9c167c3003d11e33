"""The labelled set: no false merge, and recall and review share that do not get worse unseen."""

from __future__ import annotations

from collections import Counter

from tests.bench.bench_matching_quality import quality, samkat_ending
from tests.unit.labelled_pairs import labelled_pairs

_PAIRS = labelled_pairs()
_ENDINGS = [samkat_ending(pair) for pair in _PAIRS]


def _listed(truth: str, ending: str, *, review_ok: bool) -> list[str]:
    return [
        f"{pair.family}: {pair.name}"
        for pair, found in zip(_PAIRS, _ENDINGS, strict=True)
        if (pair.truth, found, pair.review_ok) == (truth, ending, review_ok)
    ]


def test_no_two_books_are_made_one() -> None:
    assert _listed("different", "match", review_ok=True) == []
    assert _listed("different", "match", review_ok=False) == []


def test_what_can_be_told_apart_is_told_apart_without_asking() -> None:
    assert _listed("different", "review", review_ok=False) == []


def test_what_is_clearly_one_book_matches_without_asking() -> None:
    assert _listed("same", "review", review_ok=False) == []
    assert _listed("same", "new", review_ok=False) == []


def test_no_book_is_silently_made_two() -> None:
    assert _listed("same", "new", review_ok=True) == []


def test_recall_and_review_share_are_those_that_were_measured() -> None:
    counts = Counter(zip((pair.truth for pair in _PAIRS), _ENDINGS, strict=True))
    assert counts == {
        ("same", "match"): 581,
        ("same", "review"): 58,
        ("different", "review"): 330,
        ("different", "new"): 105,
    }


def test_every_family_has_several_pairs_and_no_pair_is_there_twice() -> None:
    families = Counter(pair.family for pair in _PAIRS)
    assert (len(families), min(families.values())) == (28, 7)
    assert len({(pair.incoming, pair.existing, pair.has_our_number) for pair in _PAIRS}) >= len(_PAIRS) - 40


def test_the_other_ways_of_matching_merge_wrongly() -> None:
    ours, *others = quality()
    assert (ours.precision, ours.matched_different) == (1.0, 0)
    assert [each.matched_different for each in others] == [370, 387, 260]
