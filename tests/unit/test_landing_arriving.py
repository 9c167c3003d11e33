"""What file system events say about files in incoming/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.landing.arriving import arrivals_of
from tasks.landing.folder import FolderZone


@pytest.fixture
def zone(tmp_path: Path) -> FolderZone:
    return FolderZone(tmp_path)


def told(zone: FolderZone, *events: tuple[str, str]) -> tuple[list[str], list[str]]:
    """Names that were renamed into place, and names that were written to."""
    incoming = zone.root / "incoming"
    found = arrivals_of(zone, incoming, [(kind, str(incoming / path)) for kind, path in events])
    return tuple(
        sorted(zone.key_of(each).removeprefix("incoming/") for each in some) for some in (found.renamed, found.written)
    )  # type: ignore[return-value]


@pytest.mark.parametrize("before", ["N/a.mrc.part", "N/a.mrc.PARTIAL", "N/a.part", "N/a.mrc.filepart", "N/.a.mrc.Xa3b"])
def test_a_file_that_takes_the_place_of_its_unfinished_one_was_renamed(zone: FolderZone, before: str) -> None:
    assert told(zone, ("deleted", before), ("added", "N/a.mrc")) == (["N/a.mrc"], [])
    assert told(zone, ("added", before), ("deleted", before), ("added", "N/a.mrc")) == (["N/a.mrc"], [])


@pytest.mark.parametrize("before", ["N/b.mrc.part", "M/a.mrc.part", "N/a.mrc.old"])
def test_another_file_that_goes_makes_nobody_whole(zone: FolderZone, before: str) -> None:
    assert told(zone, ("deleted", before), ("added", "N/a.mrc")) == ([], ["N/a.mrc"])


def test_writing_deleting_and_impossible_names(zone: FolderZone) -> None:
    assert told(zone, ("modified", "N/a.mrc"), ("added", "N/sub/b.mrc")) == ([], ["N/a.mrc", "N/sub/b.mrc"])
    assert told(zone, ("deleted", "N/a.mrc"), ("added", "N/a.mrc.part"), ("added", "N/bad\\name")) == ([], [])
    assert arrivals_of(zone, zone.root / "incoming", [("added", "/elsewhere/a.mrc")]).written == set()
