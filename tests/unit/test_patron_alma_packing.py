"""Synchronise files: at most 50 XML files a zip, whole users only, the same bytes each time, right counts."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Iterable, Iterator

import pytest

from schemas.alma_users import OutRules
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.alma_packing import HEAD, MAX_FILES, TAIL, pack_users
from tasks.patrons.read_back import read_export
from tests.unit.alma_users import aase, outline


def numbered(count: int) -> Iterator[bytes]:
    return (f"<user><primary_id>P{number}</primary_id></user>\n".encode() for number in range(count))


def packed(users: Iterable[bytes], persons_per_file: int = 10) -> dict[str, bytes]:
    return {each.name: each.content.read() for each in pack_users(users, "NORU_20251121", persons_per_file)}


def test_users_fill_file_after_file_and_zip_after_zip() -> None:
    zips = []
    for each in pack_users(numbered(1_203), "NORU_20251121", 10):
        zips.append((each.name, each.persons, len(each.files)))
        with zipfile.ZipFile(each.content) as archive:
            assert archive.namelist() == [file.name for file in each.files]
            content = [archive.read(file.name) for file in each.files]
        assert [(len(file), hashlib.sha256(file).hexdigest()) for file in content] == [
            (file.size, file.sha256) for file in each.files
        ]
        assert [file.count(b"<user>") for file in content] == [file.persons for file in each.files]
        assert all(file.startswith(HEAD) and file.endswith(TAIL) for file in content)
    assert zips == [
        ("NORU_20251121_001.zip", 500, MAX_FILES),
        ("NORU_20251121_002.zip", 500, MAX_FILES),
        ("NORU_20251121_003.zip", 203, 21),
    ]


def test_the_manifest_holds_counts_and_sums_and_no_person() -> None:
    (only,) = [
        (each, each.content.read(), each.manifest()) for each in pack_users([compose_user(aase()).content] * 3, "N", 2)
    ]
    each, content, manifest = only
    said = json.loads(manifest)
    assert (said["persons"], said["size"]) == (3, len(content))
    assert said["sha256"] == hashlib.sha256(content).hexdigest()
    assert [(file["name"], file["persons"]) for file in said["files"]] == [("N_001_01.xml", 2), ("N_001_02.xml", 1)]
    assert b"Vik" not in manifest
    assert "Vik" not in repr(each)


def test_the_same_users_are_the_same_bytes_on_another_day() -> None:
    assert packed(numbered(25)) == packed(numbered(25))
    assert packed(numbered(25)) != packed(numbered(26))


def test_of_nobody_no_file_is_made() -> None:
    assert packed([]) == {}
    assert len(packed(numbered(500))) == 1


def test_what_is_packed_is_read_back_whole() -> None:
    expected = [f"v-{number}" for number in range(57)]
    users = (compose_user(aase(values={"primary_id": each})).content for each in expected)
    found = [
        outline(person)
        for each in pack_users(users, "V", 1)
        for person in read_export(each.content, each.name, OutRules())
    ]
    assert found == expected


def test_memory_does_not_grow_with_the_number_of_users() -> None:
    user = b"<user>" + b"x" * 2_000 + b"</user>\n"

    def peak(count: int) -> int:
        tracemalloc.start()
        for each in pack_users((user for _ in range(count)), "V", count // 20):
            assert each.persons == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(200)
    assert peak(8_000) < 1.5 * peak(800)


@pytest.mark.parametrize(("prefix", "persons"), [("a/b", 10), ("", 10), ("NORU", 0), ("Åse", 10)])
def test_a_prefix_that_leads_away_and_files_of_nobody_are_refused(prefix: str, persons: int) -> None:
    with pytest.raises(ValueError, match="a prefix of letters"):
        next(pack_users(numbered(1), prefix, persons))
