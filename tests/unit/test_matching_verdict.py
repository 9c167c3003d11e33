"""One of three endings, whatever the order of candidates."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.outcomes import Verdict
from schemas.register.matching import MatchingPolicy
from tasks.matching.verdict import Ending, Judgement, judge
from tests.unit.labelled_pairs.books import BOOKS, EBOOK, HARBOUR, HOUSE, JOURNAL, MATHS, SHADOW
from tests.unit.labelled_pairs.builders import Bib, isbn13

POLICY = MatchingPolicy()


def judged(
    incoming: Bib, *candidates: tuple[int, Bib] | tuple[int, Bib, str], policy: MatchingPolicy = POLICY
) -> Judgement:
    found = [(each[0], each[1].features(), each[2] if len(each) > 2 else "isbn_a") for each in candidates]
    return judge(incoming.features(), found, policy)


def verdicts(judgement: Judgement) -> dict[int, tuple[str, str]]:
    return {each.bib_id: (str(each.verdict), each.rule) for each in judgement.candidates}


def test_nothing_found_is_new() -> None:
    assert judged(HOUSE) == Judgement(Ending.NEW, None, "no_candidate", "no number leads to a bib of the catalogue", ())


def test_a_valid_isbn_and_the_title_match() -> None:
    found = judged(HOUSE, (7, HOUSE))
    assert (found.ending, found.bib_id, found.rule) == (Ending.MATCH, 7, "isbn_a+title")
    assert found.reason == "a valid ISBN and the title agree, score 2.05"
    assert verdicts(found) == {7: ("match", "isbn_a+title")}


def test_a_missing_subtitle_matches_with_an_author_and_not_without() -> None:
    brief = HOUSE.but(rest="")
    assert judged(brief, (7, HOUSE)).rule == "isbn_a+title_part+authors"
    nameless = brief.but(main="", statement="")
    assert (judged(nameless, (7, HOUSE)).ending, judged(nameless, (7, HOUSE)).rule) == ("review", "isbn_a_unconfirmed")
    strict = MatchingPolicy(title_part_with_authors=False)
    assert judged(brief, (7, HOUSE), policy=strict).ending == Ending.REVIEW


@pytest.mark.parametrize(
    ("existing", "how"),
    [
        (HOUSE.but(isbns=(isbn13(5),), cancelled=HOUSE.isbns), "isbn_az"),
        (HOUSE.but(isbns=((str(HOUSE.isbns[0]), "e-bok"),)), "isbn_a"),
    ],
)
def test_weak_numbers_lead_to_review_at_most(existing: Bib, how: str) -> None:
    found = judged(HOUSE, (7, existing, how))
    assert (found.ending, found.rule) == (Ending.REVIEW, "isbn_weak_only")
    assert judged(SHADOW.but(isbns=HOUSE.isbns, language="swe"), (7, existing, how)).ending == Ending.NEW


def test_a_shared_number_with_a_veto_is_asked_about_and_a_weak_one_is_not() -> None:
    e_book = EBOOK.but(isbns=HOUSE.isbns)
    assert (judged(HOUSE, (7, e_book)).ending, judged(HOUSE, (7, e_book)).rule) == ("review", "veto:carrier")
    qualified = EBOOK.but(isbns=(*EBOOK.isbns, (str(HOUSE.isbns[0]), "inb.")))
    assert (judged(HOUSE, (7, qualified)).ending, verdicts(judged(HOUSE, (7, qualified)))) == (
        "new",
        {7: ("no", "veto:carrier")},
    )


def test_the_set_s_number_explains_itself() -> None:
    one = MATHS.but(isbns=(isbn13(1), (isbn13(9), "set")))
    two = MATHS.but(isbns=(isbn13(2), (isbn13(9), "set")), title="Matematik 8")
    assert verdicts(judged(two, (7, one))) == {7: ("no", "explained:set_isbn")}
    unmarked = [each.but(isbns=(each.isbns[0], isbn13(9))) for each in (one, two)]
    assert verdicts(judged(unmarked[1], (7, unmarked[0]))) == {7: ("no", "explained:set_isbn")}


def test_two_equal_bibs_are_asked_about_never_the_lowest_id() -> None:
    found = judged(HOUSE, (7, HOUSE), (3, HOUSE.but(publisher="")))
    assert (found.ending, found.bib_id, found.rule) == (Ending.REVIEW, None, "several_equal")
    assert found.reason == "bibs 3, 7 fit about equally well"
    assert {verdict for verdict, _ in verdicts(found).values()} == {"review"}


def test_a_clear_lead_decides() -> None:
    worse = HOUSE.but(isbns=(*HOUSE.isbns, isbn13(1), isbn13(2)), year="2022", publisher="")
    found = judged(HOUSE, (3, worse), (7, HOUSE))
    assert (found.ending, found.bib_id) == (Ending.MATCH, 7)
    assert verdicts(found) == {7: ("match", "isbn_a+title"), 3: ("no", "outranked")}
    cautious = MatchingPolicy(clear_lead=1.0)
    assert judged(HOUSE, (3, worse), (7, HOUSE), policy=cautious).rule == "several_equal"


def test_a_vetoed_candidate_is_no_rival() -> None:
    found = judged(HOUSE, (3, EBOOK.but(isbns=HOUSE.isbns)), (7, HOUSE))
    assert (found.ending, found.bib_id) == (Ending.MATCH, 7)
    assert verdicts(found)[3] == ("no", "outranked")


def test_our_own_number_matches_with_the_title_and_not_without() -> None:
    taken = HOUSE.but(isbns=())
    assert judged(taken, (7, HOUSE, "control_number")).rule == "control_number+title"
    other = SHADOW.but(isbns=(), language="swe", main=HOUSE.main)
    assert judged(other, (7, HOUSE, "control_number")).rule == "control_number_unconfirmed"
    assert judged(EBOOK, (7, HOUSE, "control_number")).rule == "veto:carrier"


def test_our_own_number_on_one_bib_and_the_isbn_on_another_is_asked_about() -> None:
    found = judged(HOUSE, (3, SHADOW, "control_number"), (7, HOUSE))
    assert (found.ending, found.rule) == (Ending.REVIEW, "identity_conflict")
    assert verdicts(found)[7] == ("review", "identity_conflict")


def test_a_serial_matches_by_issn_and_a_monograph_never() -> None:
    assert judged(JOURNAL, (7, JOURNAL, "issn")).rule == "issn+title"
    in_series = HOUSE.but(issn=JOURNAL.issn, isbns=())
    assert judged(in_series, (7, in_series, "issn")) == Judgement(
        Ending.NEW, None, "no_candidate", "no number leads to a bib of the catalogue", ()
    )


def test_too_many_candidates_are_asked_about() -> None:
    found = judged(HOUSE, *[(each, HOUSE) for each in range(1, 5)], policy=MatchingPolicy(max_candidates=3))
    assert (found.ending, found.rule, len(found.candidates)) == (Ending.REVIEW, "too_many_candidates", 3)
    assert found.reason == "4 bibs share the number, more than 3"


def test_a_candidate_found_in_two_ways_is_one_candidate() -> None:
    found = judged(HOUSE, (7, HOUSE, "isbn_a"), (7, HOUSE, "control_number"))
    assert (len(found.candidates), found.rule) == (1, "control_number+title")
    assert found.candidates[0].evidence["found_by"] == ["control_number", "isbn_a"]


def test_a_higher_bar_asks_more() -> None:
    brief = Bib(HOUSE.title, rest=HOUSE.rest, isbns=HOUSE.isbns, year="", language="   ", record_type="a")
    assert judged(brief, (7, HOUSE)).ending == Ending.MATCH
    found = judged(brief, (7, HOUSE), policy=MatchingPolicy(match_at=1.6))
    assert (found.ending, found.rule, found.reason) == ("review", "isbn_a_low_score", "score 1.45 is below 1.6")


def test_every_candidate_leaves_a_verdict_that_explains_itself() -> None:
    found = judged(HOUSE, (1, HOUSE), (2, EBOOK), (3, HARBOUR.but(cancelled=HOUSE.isbns)))
    assert sorted(verdicts(found)) == [1, 2, 3]
    assert [each.bib_id for each in found.candidates] == [1, 2, 3]
    for each in found.candidates:
        assert isinstance(each.verdict, Verdict)
        assert each.score == round(each.score, 4)
        assert json.loads(json.dumps(each.evidence))["features"]


_POOL = (
    HOUSE,
    HOUSE.but(publisher=""),
    HOUSE.but(editions=("2. uppl.",)),
    EBOOK.but(isbns=HOUSE.isbns),
    HOUSE.but(isbns=(isbn13(77),), cancelled=HOUSE.isbns),
    HOUSE.but(rest="", main="", statement=""),
    HOUSE.but(year="2012"),
    *BOOKS[1:3],
)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(range(len(_POOL))), max_size=6), st.randoms(use_true_random=False))
def test_the_judgement_does_not_depend_on_the_order_of_candidates(chosen: list[int], random: object) -> None:
    candidates = [(100 - place, _POOL[index].features(), "isbn_a") for place, index in enumerate(chosen)]
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    incoming = HOUSE.features()
    assert judge(incoming, shuffled, POLICY) == judge(incoming, candidates, POLICY)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(range(len(_POOL))), max_size=5))
def test_ids_never_decide(chosen: list[int]) -> None:
    features = [_POOL[index].features() for index in chosen]
    incoming = HOUSE.features()
    rising = judge(incoming, [(place + 1, each, "isbn_a") for place, each in enumerate(features)], POLICY)
    falling = judge(incoming, [(100 - place, each, "isbn_a") for place, each in enumerate(features)], POLICY)
    assert (rising.ending, rising.rule) == (falling.ending, falling.rule)
    assert (rising.bib_id is None) == (falling.bib_id is None)
    if rising.bib_id is not None and falling.bib_id is not None:
        assert rising.bib_id - 1 == 100 - falling.bib_id


def test_what_fits_the_record_of_a_merged_bib_fits_the_bib_that_has_its_place() -> None:
    other_number = HOUSE.but(isbns=(isbn13(5),))
    apart = [(7, other_number.features(), "isbn_a"), (8, HOUSE.features(), "isbn_a")]
    found = judge(HOUSE.features(), apart, POLICY, {8: 7})
    assert (found.ending, found.bib_id, found.rule) == (Ending.MATCH, 7, "isbn_a+title")
    (only,) = found.candidates
    assert (only.bib_id, only.evidence["merged_bib"]) == (7, 8)
    # Where its own record fits as well as that of a merged one, it is no rival to itself.
    both = judge(HOUSE.features(), [(7, HOUSE.features(), "isbn_a"), (8, HOUSE.features(), "isbn_a")], POLICY, {8: 7})
    assert (both.ending, both.bib_id) == (Ending.MATCH, 7)
    assert "merged_bib" not in both.candidates[0].evidence
