"""Where things end up: key names, and writing that can be repeated."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DeliveryRejectedError
from tasks.landing.archive import (
    QuarantinedPiece,
    archive_key,
    archive_original,
    quarantine_file,
    quarantine_key,
    quarantine_piece,
    rejected_key,
    rejects_key,
)
from tasks.landing.fingerprint import fingerprint_of
from tasks.landing.folder import FolderZone
from tasks.landing.keys import KeyRefusedError, check_key
from tasks.landing.zone import ContentChangedError

CONTENT = b"<html>Please log in</html>"
SHA = fingerprint_of(CONTENT).sha256
DAY = date(2025, 1, 31)


@pytest.fixture
def zone(tmp_path: Path) -> FolderZone:
    zone = FolderZone(tmp_path / "landing")
    zone.prepare(["BOKAB"])
    (zone.root / "incoming/BOKAB/dag 1.mrc").write_bytes(CONTENT)
    return zone


def files(zone: FolderZone) -> dict[str, bytes]:
    found = (each for each in zone.root.rglob("*") if each.is_file())
    return {each.relative_to(zone.root).as_posix(): each.read_bytes() for each in found}


def test_the_keys_are_those_of_the_page() -> None:
    assert archive_key("BOKAB", DAY, SHA, "dag 1.mrc") == f"archive/BOKAB/2025/01/31/{SHA[:12]}-dag_1.mrc"
    assert quarantine_key("BOKAB", 17, 11) == "quarantine/BOKAB/17/11.bin"
    assert rejected_key("BOKAB", 17, SHA, "11.bin") == f"quarantine/BOKAB/17/{SHA[:12]}-11.bin"
    assert rejects_key("BOKAB", 17, "records", "mrc") == "rejects/BOKAB/17/records.mrc"


@given(st.text(st.characters(), max_size=300))
def test_whatever_a_supplier_calls_a_file_it_can_be_archived(name: str) -> None:
    for key in (archive_key("BOKAB", DAY, SHA, name), rejected_key("BOKAB", 17, SHA, name)):
        assert check_key(key) == key
        assert check_key(f"{key}.txt")


def test_a_sender_cannot_lead_into_anothers_archive() -> None:
    with pytest.raises(KeyRefusedError):
        archive_key("BOKAB/../NORDBOK", DAY, SHA, "a.mrc")


def test_the_original_is_archived_untouched_and_again_is_harmless(zone: FolderZone) -> None:
    uri = zone.uri_for("incoming/BOKAB/dag 1.mrc")
    key = archive_key("BOKAB", DAY, SHA, "dag 1.mrc")
    for _ in range(2):
        assert archive_original(zone, uri, key, SHA) == zone.uri_for(key)
        assert files(zone) == {key: CONTENT}


def test_a_file_that_was_sent_again_is_not_archived_in_its_place(zone: FolderZone) -> None:
    (zone.root / "incoming/BOKAB/dag 1.mrc").write_bytes(b"new delivery, same name")
    with pytest.raises(ContentChangedError):
        archive_original(zone, zone.uri_for("incoming/BOKAB/dag 1.mrc"), archive_key("BOKAB", DAY, SHA, "a"), SHA)
    assert files(zone) == {"incoming/BOKAB/dag 1.mrc": b"new delivery, same name"}


def test_an_unreadable_piece_is_kept_with_its_place_and_the_reason(zone: FolderZone) -> None:
    piece = QuarantinedPiece(11, 0, 12345, b"00512nam", "the record is cut off")
    for _ in range(2):
        uri = quarantine_piece(zone, "BOKAB", 17, "dag 1.mrc", piece)
        assert uri == zone.uri_for("quarantine/BOKAB/17/11.bin")
    kept = files(zone)
    assert kept["quarantine/BOKAB/17/11.bin"] == b"00512nam"
    assert kept["quarantine/BOKAB/17/11.txt"].decode() == (
        "Delivery 17 of BOKAB, file dag 1.mrc\n"
        "Piece 11, in member 0, from byte 12,345 (counted from 0), 8 bytes\n"
        "It could not be read: the record is cut off\n"
    )
    assert len(kept) == 3


def test_a_rejected_file_is_kept_with_the_reason_and_what_to_do(zone: FolderZone) -> None:
    uri = zone.uri_for("incoming/BOKAB/dag 1.mrc")
    why = DeliveryRejectedError("it is a web page, not MARC", file="dag 1.mrc", remedy="send the records")
    key = f"quarantine/BOKAB/17/{SHA[:12]}-dag_1.mrc"
    for _ in range(2):
        assert quarantine_file(zone, uri, "BOKAB", 17, SHA, "dag 1.mrc", why) == zone.uri_for(key)
    assert files(zone) == {
        key: CONTENT,
        f"{key}.txt": (
            f"Delivery 17 of BOKAB, file dag 1.mrc\nsha256 {SHA}\n"
            "It was rejected: it is a web page, not MARC\nWhat to do: send the records\n"
        ).encode(),
    }
