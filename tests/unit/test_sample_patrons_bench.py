"""Bench files of persons: right persons, the changes that were asked for, and memory that does not grow."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from deployments.sample.patrons import write_bups2
from deployments.sample.patrons.bench import ATTRIBUTES, stream_users
from schemas.patrons import IncomingPerson
from tasks.patrons.reading import FileTotals, read_persons

SOURCE = read_register(SAMPLE_REGISTER).patron_source_by_code["VESTSTUD"]


def _read(path: Path) -> list[IncomingPerson]:
    totals = FileTotals()
    with path.open("rb") as stream:
        rows = list(read_persons(stream, path.name, SOURCE, totals))
    assert (totals.defects, dict(totals.ignored)) == ([], {})
    return [each for each in rows if isinstance(each, IncomingPerson)]


def test_every_person_is_read_with_its_attributes(tmp_path: Path) -> None:
    written = write_bups2(tmp_path / "a.xml", 2_050, seed=1)
    persons = _read(tmp_path / "a.xml")
    assert (written.persons, written.changed, written.size) == (2_050, 0, (tmp_path / "a.xml").stat().st_size)
    assert len({each.source_ids[0].key for each in persons}) == 2_050
    for person in persons[:50]:
        items = sum(len(item.fields) for items in person.lists.values() for item in items)
        # The status of an identifier and the flag of a telephone number are no attributes.
        flags = sum("preferred_sms" in item.fields for items in person.lists.values() for item in items)
        assert sum(value is not None for value in person.values.values()) + items - flags == ATTRIBUTES
    assert {each.value("user_group") for each in persons} == {"student", "employee"}


@pytest.mark.parametrize(("share", "changed"), [(0.0, 0), (0.01, 6), (0.333, 199), (1.0, 600)])
def test_the_asked_share_changes_and_nobody_else(tmp_path: Path, share: float, changed: int) -> None:
    write_bups2(tmp_path / "a.xml", 600, seed=1)
    written = write_bups2(tmp_path / "b.xml", 600, 1, share)
    before, now = (_read(tmp_path / name) for name in ("a.xml", "b.xml"))
    moved = [
        one.lists.keys()
        for one, other in zip(before, now, strict=True)
        if one.content_hash != other.content_hash
        and one.items("phones") != other.items("phones")
        and one.items("addresses") != other.items("addresses")
    ]
    differing = sum(one.content_hash != other.content_hash for one, other in zip(before, now, strict=True))
    assert (len(moved), differing, written.changed) == (changed, changed, changed)
    assert [each.source_ids for each in before] == [each.source_ids for each in now]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    one, same, other = (b"".join(stream_users(3_000, seed, 0.1)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_memory_does_not_grow_with_the_number_of_persons(tmp_path: Path) -> None:
    write_bups2(tmp_path / "warm.xml", 10, 1)
    tracemalloc.start()
    try:
        written = write_bups2(tmp_path / "large.xml", 12_000, 1, 0.01)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written.size > 16_000_000
    assert peak < 6_000_000


def test_a_share_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"changed_share 1\.5 is not between 0 and 1"):
        write_bups2(tmp_path / "x.xml", 10, 1, 1.5)


def test_no_person_at_all_is_still_a_document(tmp_path: Path) -> None:
    write_bups2(tmp_path / "x.xml", 0, 1)
    assert list(read_persons(io.BytesIO((tmp_path / "x.xml").read_bytes()), "x.xml", SOURCE)) == []
