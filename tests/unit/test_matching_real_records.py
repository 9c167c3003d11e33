"""Real records, where they are at hand: each fits itself, and a number alone makes no two one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pymarc
import pytest

from schemas.marc import Field, Record, control_field
from schemas.register.matching import MatchingPolicy
from tasks.marc.facts import isbn_facts
from tasks.matching.evidence import MatchFeatures, features_of
from tasks.matching.isbn_sharing import NO_ISBNS
from tasks.matching.verdict import Ending, judge

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "marc-bib"
FILES = (
    "solrmarc__solrmarc/uva_001_2000.mrc",
    "carpentries-incubator__pymarc_basics/NLNZ_1000_example_marc.marc",
    "LibraryCarpentry__lc-marcedit/marc_sample_data.mrc",
    "marc4j__marc4j/pride-and-prejudice-fixed.mrc",
)
POLICY = MatchingPolicy()

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the real records in ../shared/data")


@cache
def features(name: str) -> list[MatchFeatures]:
    with (FOLDER / name).open("rb") as file:
        records = [_record(each) for each in pymarc.MARCReader(file) if each is not None]
    return [features_of(each, isbn_facts(each)) for each in records]


def _record(read: pymarc.Record) -> Record:
    return Record(
        str(read.leader),
        [
            control_field(each.tag, each.data or "")
            if each.tag < "010"
            else Field(
                each.tag, "".join(each.indicators or "  "), tuple((part.code, part.value) for part in each.subfields)
            )
            for each in read.fields
        ],
    )


@pytest.mark.parametrize("name", FILES)
def test_every_record_with_an_isbn_matches_itself(name: str) -> None:
    own = [each for each in features(name) if each.isbns.own and each.title.key]
    assert len(own) > 10
    assert [each.title.text for each in own if judge(each, [(1, each, "isbn_a")], POLICY).ending != Ending.MATCH] == []


@pytest.mark.parametrize(("name", "count"), list(zip(FILES, (7, 1, 0, 31), strict=True)))
def test_neighbours_under_one_number_hardly_ever_match(name: str, count: int) -> None:
    """Looked at one by one: what matches is one book twice, or has no value that tells the two apart."""
    shared = NO_ISBNS._replace(own=frozenset({"9789101000010"}))
    numbered = [replace(each, isbns=shared, other_numbers=frozenset()) for each in features(name)]
    endings = [judge(one, [(1, other, "isbn_a")], POLICY).ending for one, other in pairwise(numbered)]
    assert endings.count(Ending.MATCH) == count
    assert endings.count(Ending.NEW) == 0
