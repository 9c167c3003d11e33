"""A file of a bucket as a file of this machine: whole, bounded, and gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import SamkatError
from tasks.landing.spooling import spooled
from tasks.landing.zone import ContentChangedError
from tasks.second_process import in_second_process
from tests.landing_zones import BucketKept
from tests.object_store import ObjectStore

KEY = "archive/NORDBOK/2025/03/14/night.mrc"
CONTENT = bytes(range(256)) * 20_000


@pytest.fixture
def kept(object_store: ObjectStore, bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketKept:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return BucketKept(object_store, bucket_url)


def pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from iter(lambda: stream.read(1024 * 1024), b"")


def test_another_process_reads_the_copy_and_nothing_stays(kept: BucketKept, tmp_path: Path) -> None:
    uri = kept.drop(KEY, CONTENT)
    with spooled(kept.zone, uri, len(CONTENT)) as path:
        assert b"".join(in_second_process(pieces_of, path)) == CONTENT
        assert b"".join(pieces_of(path)) == CONTENT, "read once more, from the start"
        assert list(tmp_path.iterdir()) == [], "it has no name that a killed process would leave behind"
    assert not path.exists()


@pytest.mark.parametrize("promised", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_file_of_another_size_is_refused(kept: BucketKept, tmp_path: Path, promised: int) -> None:
    uri = kept.drop(KEY, CONTENT)
    with pytest.raises(ContentChangedError), spooled(kept.zone, uri, promised):
        pass
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_told_before_anything_is_fetched(kept: BucketKept, tmp_path: Path) -> None:
    with pytest.raises(SamkatError, match=f"no room for a temporary copy of .* in {tmp_path} .*TMPDIR"):  # noqa: SIM117
        with spooled(kept.zone, kept.zone.uri_for(KEY), 10**18):
            pass
