"""Evidence: points, vetoes and doubts of one pair."""

from __future__ import annotations

import json

import pytest

from schemas.marc import data_field
from schemas.register.matching import MatchingPolicy, MatchingWeights
from tasks.matching.evidence import Evidence, MatchFeatures, compare
from tests.unit.labelled_pairs import labelled_pairs
from tests.unit.labelled_pairs.books import CONCERT, HARBOUR, HOUSE, JOURNAL, MATHS, SHADOW

POLICY = MatchingPolicy()
NEUTRAL = MatchFeatures()


def evidence(incoming: MatchFeatures, existing: MatchFeatures, *found_by: str) -> Evidence:
    return compare(incoming, existing, POLICY, found_by)


def names(objections: tuple) -> list[str]:  # type: ignore[type-arg]
    return [each.name for each in objections]


def test_a_record_against_itself_has_every_point() -> None:
    found = evidence(HOUSE.features(), HOUSE.features())
    assert {item.feature: round(item.points, 4) for item in found.items} == {
        "isbn": 0.75,
        "title": 0.5,
        "record_type": 0.1,
        "bib_level": 0.1,
        "authors": 0.3,
        "carrier": 0.1,
        "pages": 0.05,
        "year": 0.1,
        "publisher": 0.05,
    }
    assert (found.score, found.vetoes, found.doubts, found.identity) == (2.05, (), (), ("isbn_a",))


def test_two_empty_records_say_nothing() -> None:
    assert evidence(NEUTRAL, NEUTRAL).items == ()
    assert evidence(NEUTRAL, HOUSE.features()).items == ()


def test_points_come_from_the_policy() -> None:
    policy = MatchingPolicy(weights=MatchingWeights(title_equal=0.61, carrier=0.02, language=0.07))
    found = compare(HOUSE.features(), HOUSE.features(), policy)
    assert [found.points(each) for each in ("title", "carrier", "language")] == [0.61, 0.02, 0.07]


@pytest.mark.parametrize(
    ("changes", "veto"),
    [
        ({"record_type": "c"}, "record_type"),
        ({"record_type": "o"}, "record_type"),
        ({"bib_level": "s"}, "bib_level"),
        ({"bib_level": "a"}, "bib_level"),
        ({"form": "o", "size": ""}, "carrier"),
        ({"language": "nob"}, "language"),
        ({"editions": ("2. uppl.",)}, "edition"),
        ({"form": "d"}, "edition_kind"),
        ({"main": "Ek, Ulf"}, "authors"),
        ({"title": "Det stora huset vid havet 2", "rest": ""}, "title_number"),
        ({"number": "Del 2"}, "part"),
    ],
)
def test_what_makes_another_book_is_a_veto(changes: dict[str, object], veto: str) -> None:
    first = HOUSE.but(editions=("1. uppl.",), number="Del 1", title="Det stora huset vid havet", rest="")
    if veto == "title_number":
        first = first.but(title="Det stora huset vid havet 1", number="")
    assert veto in names(evidence(first.but(**changes).features(), first.features()).vetoes)


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"year": "2015", "extent": "512 sidor"}, "year_apart"),
        ({"year": "2022", "extent": "512 sidor"}, "pages"),
        ({"year": "2022", "editions": ("3. uppl.",)}, "edition_year"),
        ({"year": "2015", "publisher": "Annat förlag"}, "publisher"),
        ({"year": "2010", "level": "8"}, "year_apart"),
        ({"title": "Det stora huset vid havet 2"}, "title_number"),
        ({"main": "Ask, Lo", "others": ("Ek, Ulf",)}, "main_author"),
    ],
)
def test_what_may_make_another_book_is_a_doubt(changes: dict[str, object], doubt: str) -> None:
    existing = HOUSE.but(others=("Ek, Ulf",)) if doubt == "main_author" else HOUSE
    found = evidence(existing.but(**changes).features(), existing.features())
    assert (doubt in names(found.doubts), found.vetoes) == (True, ())


@pytest.mark.parametrize(
    ("year", "level", "points"),
    [("2021", " ", 0.1), ("2022", " ", -0.125), ("2024", " ", -0.35), ("2022", "5", -0.1), ("2024", "8", -0.1)],
)
def test_a_year_off_weighs_less_where_a_side_is_preliminary(year: str, level: str, points: float) -> None:
    incoming = HOUSE.but(year=year, level=level).features()
    assert evidence(incoming, HOUSE.features()).points("year") == points
    assert evidence(HOUSE.features(), incoming).points("year") == points


def test_a_copyright_year_is_a_year() -> None:
    reprint = HOUSE.but(date_type="t", year="2023")
    field = reprint.record().fields("008")[0]
    with_copyright = reprint.record()
    with_copyright.all_fields = [
        each._replace(value=field.value[:11] + "2021" + field.value[15:]) if each.tag == "008" else each
        for each in with_copyright.all_fields
    ]
    from tasks.matching.evidence import features_of

    assert features_of(with_copyright, reprint.isbn_facts()).years == {2021, 2023}


def test_the_number_of_the_other_format_speaks_against() -> None:
    e_book = HOUSE.but(isbns=(), other_formats=HOUSE.isbns, extent="", size="")
    assert evidence(HOUSE.features(), e_book.features()).points("isbn_related") == -0.5
    assert evidence(e_book.features(), HOUSE.features()).points("isbn_related") == -0.5


def test_an_issn_identifies_serials_only() -> None:
    assert evidence(JOURNAL.features(), JOURNAL.features()).identity == ("issn",)
    in_series = HOUSE.but(issn=JOURNAL.issn, isbns=())
    assert evidence(in_series.features(), in_series.features()).identity == ()
    assert names(evidence(JOURNAL.but(issn="1402-3040").features(), JOURNAL.features()).doubts) == ["issn_differs"]


def test_an_ean_identifies_recordings_without_isbn() -> None:
    assert evidence(CONCERT.features(), CONCERT.features()).identity == ("ean",)
    book = HOUSE.but(isbns=(), ean=CONCERT.ean)
    assert evidence(book.features(), book.features()).identity == ()


def test_our_number_and_the_source_s_number_identify() -> None:
    numbered = HOUSE.but(numbers=("(XX)1",), isbns=()).features()
    assert evidence(numbered, numbered).identity == ("035",)
    assert evidence(HOUSE.features(), HOUSE.features(), "control_number").identity == ("control_number", "isbn_a")
    assert evidence(NEUTRAL, HOUSE.features(), "035").identity == ("035",)


def test_another_isbn_under_our_number_is_a_doubt() -> None:
    other = HOUSE.but(isbns=MATHS.isbns).features()
    assert "isbn_differs" in names(evidence(other, HOUSE.features(), "control_number").doubts)


def test_an_old_e_book_coded_as_computer_file_is_no_conflict() -> None:
    e_book = HOUSE.but(form="o", size="", extent="1 onlineresurs")
    assert evidence(e_book.but(record_type="m").features(), e_book.features()).vetoes == ()


def test_evidence_can_be_written_as_json() -> None:
    found = evidence(HARBOUR.features(), SHADOW.features(), "isbn_a", "035").as_json()
    assert json.loads(json.dumps(found)) == found
    assert found["found_by"] == ["035", "isbn_a"]
    assert {key for each in found["features"] for key in each} == {"feature", "points", "incoming", "existing", "text"}
    assert [each["name"] for each in found["vetoes"]] == ["authors", "language"]


_COMPARED = [(pair.incoming.features(), pair.existing.features()) for pair in labelled_pairs()]


def test_points_and_objections_do_not_depend_on_which_side_comes_in() -> None:
    changed = []
    for one, other in _COMPARED:
        there, back = evidence(one, other), evidence(other, one)
        if (there.score, names(there.vetoes), sorted(names(there.doubts))) != (
            back.score,
            names(back.vetoes),
            sorted(names(back.doubts)),
        ):
            changed.append((one.title.text, other.title.text))
    assert changed == []


@pytest.mark.parametrize(
    ("features", "missing"),
    [
        (("authors",), {"persons": (), "statement": ""}),
        (("year",), {"years": frozenset()}),
        (("carrier",), {"carrier": ""}),
        (("language",), {"languages": frozenset()}),
        (("publisher",), {"publisher": frozenset()}),
        (("pages",), {"pages": None}),
        (("issn",), {"issns": frozenset()}),
        (("ean",), {"eans": frozenset()}),
        (("record_type",), {"record_type": ""}),
        (("bib_level",), {"bib_level": ""}),
        (("title",), {"title": NEUTRAL.title}),
        (("isbn", "isbn_related"), {"isbns": NEUTRAL.isbns}),
    ],
)
def test_a_missing_value_never_counts_against(features: tuple[str, ...], missing: dict[str, object]) -> None:
    worse = []
    for one, other in _COMPARED:
        whole, without = evidence(one, other), evidence(one._replace(**missing), other)  # type: ignore[arg-type]
        gained = sum(max(0.0, whole.points(each)) for each in features)
        has_new_veto = not set(names(without.vetoes)) <= set(names(whole.vetoes))
        # The ISSN only counts for serials, the year not for them: with leader/07 gone, they change as well.
        slack = 0.75 + 0.35 if "bib_level" in features else 0.0
        if without.score < whole.score - gained - slack - 1e-9 or has_new_veto:
            worse.append((one.title.text, other.title.text, whole.score, without.score))
    assert worse == []


def test_pages_in_many_words() -> None:
    texts = {
        "345 sidor": 345,
        "xii, 288 pages": 288,
        "[345] s.": 345,
        "401 Seiten": 401,
        "310 pagina's": 310,
        "32 unnumbered pages": 32,
        "1 onlineresurs (212 s.)": 212,
        "3 volymer": None,
        "1 CD (11 tim.)": None,
    }
    assert {text: HOUSE.but(extent=text).features().pages for text in texts} == texts


def test_publishers_are_compared_without_the_words_for_a_house() -> None:
    field = data_field("264", " 1", [("b", "Norrviks förlag AB,")])
    plain = HOUSE.but(publisher="", year="", further=(field,)).features()
    assert plain.publisher == HOUSE.features().publisher == {"norrviks"}
