"""Real records, where they are at hand: each fits itself, and a number alone makes no two one."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

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
def records(name: str) -> list[Record]:
    with (FOLDER / name).open("rb") as file:
        return [_record(each) for each in pymarc.MARCReader(file) if each is not None]


@cache
def features(name: str) -> list[MatchFeatures]:
    return [features_of(each, isbn_facts(each)) for each in records(name)]


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
    numbered = [each._replace(isbns=shared, other_numbers=frozenset()) for each in features(name)]
    endings = [judge(one, [(1, other, "isbn_a")], POLICY).ending for one, other in pairwise(numbered)]
    assert endings.count(Ending.MATCH) == count
    assert endings.count(Ending.NEW) == 0


def _spoiled(record: Record, random: Random) -> Record:
    """The record as a careless supplier might send it: fields lost, capitals, punctuation gone, $b run into $a."""
    fields = []
    for each in record.all_fields:
        loss = 0.4 if each.tag in ("260", "264", "300", "500", "504", "505", "650", "700") else 0.0
        loss = 0.5 if each.tag in ("007", "336", "337", "338") else loss
        if random.random() >= loss:
            fields.append(_spoiled_title(each, random) if each.tag == "245" else each)
    return Record(record.leader[:17] + random.choice(" 378") + record.leader[18:], fields)


def _spoiled_title(field: Field, random: Random) -> Field:
    subfields = []
    for code, value in field.subfields:
        if code in "ab" and random.random() < 0.3:
            value = value.upper()
        if code in "ab" and random.random() < 0.3:
            value = re.sub(r"[.,:;/]", " ", value)
        if code != "c" or random.random() < 0.5:
            subfields.append((code, value))
    if [code for code, _ in subfields[:2]] == ["a", "b"] and random.random() < 0.4:
        subfields[:2] = [("a", f"{subfields[0][1]} {subfields[1][1]}")]
    return field._replace(subfields=tuple(subfields))


def test_spoiled_records_are_still_found() -> None:
    endings: Counter[str] = Counter()
    for name in FILES:
        for place, (record, whole) in enumerate(zip(records(name), features(name), strict=True)):
            if whole.isbns.own and whole.title.key:
                spoiled = features_of(_spoiled(record, Random(place)), isbn_facts(record))
                endings[judge(spoiled, [(1, whole, "isbn_a")], POLICY).ending] += 1
    assert endings == {"match": 1804, "review": 2}
