"""The landing zone in a folder: what only a folder has, links and pipes above all. The rest: test_landing_zone.py."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from schemas.errors import ConfigurationError
from tasks.landing.fingerprint import fingerprint_of
from tasks.landing.folder import FolderZone
from tasks.landing.keys import KeyRefusedError
from tasks.landing.opening import open_zone
from tasks.landing.zone import (
    ContentChangedError,
    KeyTakenError,
    LandingZone,
    NotLandedError,
    RefusedFile,
    UnreadableFileError,
)

RECORD = b"00026nam a2200025   4500\x1e\x1d"


@pytest.fixture
def zone(tmp_path: Path) -> FolderZone:
    zone = FolderZone(tmp_path / "landing zone")
    zone.prepare(["BOKAB", "NORDBOK"])
    return zone


def drop(zone: FolderZone, key: str, content: bytes = RECORD, at: int | None = None) -> str:
    """Put a file there as a sender does, past the interface; `at` is its time in seconds."""
    path = zone.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if at is not None:
        os.utime(path, (at, at))
    return zone.uri_for(key)


def read(zone: LandingZone, uri: str) -> bytes:
    with zone.open(uri) as stream:
        return stream.read()


def everything(zone: FolderZone) -> dict[str, bytes]:
    found = (each for each in zone.root.rglob("*") if each.is_file())
    return {each.relative_to(zone.root).as_posix(): each.read_bytes() for each in found}


class TestOpening:
    def test_a_folder_zone_keeps_the_interface(self, zone: FolderZone) -> None:
        interface: LandingZone = zone
        assert interface.waiting() == []

    @pytest.mark.parametrize("url", ["{}/a b", "file://{}/a%20b", "file://localhost{}/a%20b"])
    def test_a_path_and_a_file_url_open_the_same_zone(self, tmp_path: Path, url: str) -> None:
        zone = open_zone(url.format(tmp_path))
        assert zone.uri_for("exports/x.mrc") == (tmp_path / "a b" / "exports" / "x.mrc").as_uri()

    def test_prepare_makes_the_areas_and_can_be_repeated(self, zone: FolderZone) -> None:
        zone.prepare(["BOKAB"])
        assert sorted(each.name for each in zone.root.iterdir()) == [
            "archive",
            "exports",
            "handed",
            "incoming",
            "marts",
            "quarantine",
            "rejects",
            "reports",
        ]
        assert sorted(each.name for each in (zone.root / "incoming").iterdir()) == ["BOKAB", "NORDBOK"]


class TestWaiting:
    def test_a_zone_that_is_not_there_is_not_an_empty_one(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="samkat init"):
            FolderZone(tmp_path / "unmounted").waiting()

    def test_a_link_in_place_of_the_incoming_area_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "zone").mkdir()
        (tmp_path / "sftp").mkdir()
        (tmp_path / "zone/incoming").symlink_to(tmp_path / "sftp")
        with pytest.raises(ConfigurationError, match="must be mounted there, not linked"):
            FolderZone(tmp_path / "zone").waiting()

    def test_what_can_never_be_taken_is_told_and_hides_no_neighbour(self, zone: FolderZone, tmp_path: Path) -> None:
        drop(zone, "incoming/BOKAB/good.mrc")
        (tmp_path / "secret").write_bytes(b"secret")
        incoming = zone.root / "incoming"
        (incoming / "BOKAB/link.mrc").symlink_to(tmp_path / "secret")
        (incoming / "BOKAB/folder").symlink_to(tmp_path)
        os.mkfifo(incoming / "BOKAB/pipe.mrc")
        (incoming / "BOKAB/a\\b.mrc").write_bytes(RECORD)
        (incoming / os.fsdecode(b"BOKAB/b\xe5.mrc")).write_bytes(RECORD)
        (incoming / "stray.mrc").write_bytes(RECORD)
        (incoming / "LINKED").symlink_to(tmp_path)
        assert [each.name for each in zone.waiting()] == ["good.mrc"]
        assert [(each.sender, each.name, each.reason.split(":")[0]) for each in zone.refused()] == [
            ("", "LINKED", "lies outside every sender's folder"),
            ("", "stray.mrc", "lies outside every sender's folder"),
            ("BOKAB", "BOKAB/a\\b.mrc", "a slash or backslash in the name"),
            ("BOKAB", "BOKAB/b\\udce5.mrc", "a control character, or bytes that are not UTF-8, in the name"),
            ("BOKAB", "BOKAB/folder", "is a symbolic link"),
            ("BOKAB", "BOKAB/link.mrc", "is a symbolic link"),
            ("BOKAB", "BOKAB/pipe.mrc", "is a pipe, a socket or a device"),
        ]
        assert all(each.remedy for each in zone.refused())
        assert zone.refused("NORDBOK") == []
        assert zone.refused("LINKED") == [RefusedFile("LINKED", "LINKED", "is a symbolic link", "make it a folder")]

    def test_a_folder_that_may_not_be_read_is_told(self, zone: FolderZone, monkeypatch: pytest.MonkeyPatch) -> None:
        drop(zone, "incoming/NORDBOK/a.mrc")
        look = os.scandir

        def closed(folder: Path) -> Any:
            if folder.name == "BOKAB":
                raise PermissionError(errno.EACCES, "Permission denied")
            return look(folder)

        monkeypatch.setattr(os, "scandir", closed)  # the system's answer; root would be let in
        [refused] = zone.refused()
        assert (refused.sender, refused.reason) == ("BOKAB", "the folder may not be read (Permission denied)")
        assert [each.name for each in zone.waiting()] == ["a.mrc"]

    @pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a file system with times after the year 9999")
    def test_a_time_that_is_no_date_is_told(self) -> None:
        with TemporaryDirectory(dir="/dev/shm") as memory:
            zone = FolderZone(Path(memory))
            drop(zone, "incoming/BOKAB/a.mrc", at=2**33 * 50)
            assert zone.waiting() == []
            assert [each.reason for each in zone.refused()] == ["its time is no date"]


class TestReading:
    def test_a_link_is_never_followed(self, zone: FolderZone, tmp_path: Path) -> None:
        (tmp_path / "private").mkdir()
        (tmp_path / "private/secret").write_bytes(b"secret")
        (zone.root / "incoming/BOKAB/link.mrc").symlink_to(tmp_path / "private/secret")
        (zone.root / "incoming/BOKAB/folder").symlink_to(tmp_path / "private")
        for key in ("incoming/BOKAB/link.mrc", "incoming/BOKAB/folder/secret"):
            uri = zone.uri_for(key)
            for act in (zone.open, zone.size, zone.exists, zone.delete):
                with pytest.raises(KeyRefusedError, match="symbolic link"):
                    act(uri)
            with pytest.raises(KeyRefusedError):
                zone.move(uri, "archive/BOKAB/x")
            with pytest.raises(KeyRefusedError):
                zone.put(key, b"overwritten", overwrite=True)
        assert (tmp_path / "private/secret").read_bytes() == b"secret"

    def test_a_pipe_or_a_folder_is_refused_without_waiting(self, zone: FolderZone) -> None:
        os.mkfifo(zone.root / "incoming/BOKAB/pipe")
        for key in ("incoming/BOKAB/pipe", "incoming/BOKAB"):
            with pytest.raises(UnreadableFileError, match="not a plain file"):
                zone.open(zone.uri_for(key))

    def test_no_descriptor_is_left_open_after_refusals(self, zone: FolderZone) -> None:
        os.mkfifo(zone.root / "incoming/BOKAB/pipe")
        before = len(os.listdir("/proc/self/fd"))
        for key in ("incoming/BOKAB/pipe", "incoming/BOKAB/gone", "incoming/BOKAB/gone/deep/er"):
            with pytest.raises((UnreadableFileError, NotLandedError)):
                zone.open(zone.uri_for(key))
        assert len(os.listdir("/proc/self/fd")) == before

    def test_a_file_that_may_not_be_read_is_told(self, zone: FolderZone, monkeypatch: pytest.MonkeyPatch) -> None:
        uri = drop(zone, "incoming/BOKAB/closed.mrc")
        opened = os.open

        def closed(name: str, *args: Any, **kwargs: Any) -> int:
            if name == "closed.mrc":
                raise PermissionError(errno.EACCES, "Permission denied")
            return opened(name, *args, **kwargs)

        monkeypatch.setattr(os, "open", closed)  # the system's answer; root would be let in
        with pytest.raises(UnreadableFileError, match="may not be read"):
            zone.open(uri)


class TestWriting:
    def test_the_same_content_again_changes_nothing(self, zone: FolderZone) -> None:
        uri = zone.put("reports/a.txt", b"one")
        before = os.stat(zone.root / "reports/a.txt")
        for overwrite in (False, True):
            assert zone.put("reports/a.txt", io.BytesIO(b"one"), overwrite=overwrite) == uri
        after = os.stat(zone.root / "reports/a.txt")
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_a_file_in_place_of_a_folder_and_the_other_way_round_are_told(self, zone: FolderZone) -> None:
        zone.put("reports/a", b"one")
        with pytest.raises(KeyTakenError, match="a file stands where a folder is needed"):
            zone.put("reports/a/b", b"two")
        zone.put("reports/c/d", b"three")
        for overwrite in (False, True):
            with pytest.raises(KeyTakenError):
                zone.put("reports/c", b"four", overwrite=overwrite)
        assert everything(zone) == {"reports/a": b"one", "reports/c/d": b"three"}

    def test_a_file_system_without_hard_links_keeps_the_promises(
        self, zone: FolderZone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_links(*_: Any, **__: Any) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", no_links)
        zone.put("reports/a.txt", b"one")
        zone.put("reports/a.txt", b"one")
        with pytest.raises(KeyTakenError):
            zone.put("reports/a.txt", b"two")
        assert everything(zone) == {"reports/a.txt": b"one"}

    def test_a_folder_is_not_deleted_as_a_file(self, zone: FolderZone) -> None:
        with pytest.raises(UnreadableFileError, match="is a folder"):
            zone.delete(zone.uri_for("incoming/BOKAB"))


class TestMoving:
    SHA = fingerprint_of(RECORD).sha256

    def test_a_file_written_to_while_it_is_moved_stays(self, zone: FolderZone, monkeypatch: pytest.MonkeyPatch) -> None:
        uri = drop(zone, "incoming/BOKAB/a.mrc")
        make_folders = Path.mkdir

        def sender_writes_on(path: Path, *args: Any, **kwargs: Any) -> None:
            make_folders(path, *args, **kwargs)
            with (zone.root / "incoming/BOKAB/a.mrc").open("ab") as stream:
                stream.write(RECORD)

        monkeypatch.setattr(Path, "mkdir", sender_writes_on)
        with pytest.raises(ContentChangedError):
            zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert everything(zone) == {"incoming/BOKAB/a.mrc": RECORD + RECORD}

    def test_between_two_file_systems_it_is_copied_then_deleted(
        self, zone: FolderZone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def other_device(*_: Any, **__: Any) -> None:
            raise OSError(errno.EXDEV, "other device")

        monkeypatch.setattr(os, "rename", other_device)
        uri = drop(zone, "incoming/BOKAB/a.mrc")
        for _ in range(2):
            zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert everything(zone) == {"archive/BOKAB/a.mrc": RECORD}


class TestAdopting:
    def test_a_file_that_waits_in_the_senders_folder_is_taken_as_it_is(
        self, zone: FolderZone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uri = drop(zone, "incoming/BOKAB/a.mrc")
        assert zone.adopt(zone.root / "incoming/BOKAB/a.mrc", "BOKAB") == uri
        monkeypatch.chdir(zone.root / "incoming")
        assert zone.adopt(Path("NORDBOK/../BOKAB/a.mrc"), "BOKAB") == uri

    @pytest.mark.parametrize("key", ["archive/BOKAB/a.mrc", "incoming/NORDBOK/a.mrc", "incoming/BOKABX/a.mrc"])
    def test_any_other_file_of_the_zone_is_copied(self, zone: FolderZone, key: str) -> None:
        drop(zone, key)
        uri = zone.adopt(zone.root / key, "BOKAB")
        assert zone.key_of(uri).startswith("handed/BOKAB/")
        assert (zone.root / key).read_bytes() == RECORD

    def test_a_persons_own_link_is_followed_and_its_target_left(self, zone: FolderZone, tmp_path: Path) -> None:
        waiting = drop(zone, "incoming/BOKAB/a.mrc")
        (tmp_path / "link.mrc").symlink_to(zone.root / "incoming/BOKAB/a.mrc")
        uri = zone.adopt(tmp_path / "link.mrc", "BOKAB")
        assert uri != waiting
        assert read(zone, uri) == RECORD
