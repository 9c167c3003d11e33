"""The landing zone in a folder: whole writes, moves that can be repeated, and nothing that leads out of it."""

from __future__ import annotations

import errno
import io
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from schemas.errors import ConfigurationError, UsageError
from tasks.landing.fingerprint import fingerprint_of
from tasks.landing.folder import FolderZone, open_zone
from tasks.landing.keys import KeyRefusedError
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

    @pytest.mark.parametrize(
        ("url", "cause"),
        [
            ("s3://bucket/prefix", "they come later"),
            ("ftp://host/x", "unknown scheme ftp://"),
            ("file://otherhost/x", "names another machine"),
            ("file://", "no absolute path"),
            ("", "is empty"),
            ("a\0b", "NUL"),
        ],
    )
    def test_any_other_url_is_a_wrong_configuration(self, url: str, cause: str) -> None:
        with pytest.raises(ConfigurationError) as error:
            open_zone(url)
        assert cause in error.value.cause
        assert error.value.field == "LANDING_URL"
        assert error.value.exit_code == 2

    def test_prepare_makes_the_areas_and_can_be_repeated(self, zone: FolderZone) -> None:
        zone.prepare(["BOKAB"])
        assert sorted(each.name for each in zone.root.iterdir()) == [
            "archive",
            "exports",
            "handed",
            "incoming",
            "quarantine",
            "rejects",
            "reports",
        ]
        assert sorted(each.name for each in (zone.root / "incoming").iterdir()) == ["BOKAB", "NORDBOK"]


class TestWaiting:
    def test_oldest_first_then_by_name(self, zone: FolderZone) -> None:
        drop(zone, "incoming/BOKAB/b.mrc", at=2000)
        drop(zone, "incoming/BOKAB/c.mrc", at=1000)
        drop(zone, "incoming/NORDBOK/a.mrc", at=2000)
        drop(zone, "incoming/BOKAB/2025/deep.mrc", b"1234567", at=3000)
        assert [each.name for each in zone.waiting()] == ["c.mrc", "a.mrc", "b.mrc", "deep.mrc"]
        assert [each.name for each in zone.waiting("BOKAB")] == ["c.mrc", "b.mrc", "deep.mrc"]
        last = zone.waiting()[-1]
        assert (last.sender, last.key, last.size) == ("BOKAB", "incoming/BOKAB/2025/deep.mrc", 7)
        assert last.modified_at == datetime.fromtimestamp(3000, UTC)
        assert read(zone, last.uri) == b"1234567"

    def test_hidden_files_and_folders_are_left_out(self, zone: FolderZone) -> None:
        drop(zone, "incoming/BOKAB/a.mrc")
        (zone.root / "incoming/BOKAB/.a.mrc.Xy12").write_bytes(b"half")
        (zone.root / "incoming/BOKAB/.sync").mkdir()
        (zone.root / "incoming/BOKAB/.sync/b.mrc").write_bytes(RECORD)
        (zone.root / "incoming/.stfolder").mkdir()
        assert [each.name for each in zone.waiting()] == ["a.mrc"]
        assert zone.refused() == []

    def test_a_sender_without_a_folder_has_sent_nothing(self, zone: FolderZone) -> None:
        assert zone.waiting("NEWBOOKS") == []

    def test_a_zone_that_is_not_there_is_not_an_empty_one(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="samkat init"):
            FolderZone(tmp_path / "unmounted").waiting()

    def test_a_link_in_place_of_the_incoming_area_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "zone").mkdir()
        (tmp_path / "sftp").mkdir()
        (tmp_path / "zone/incoming").symlink_to(tmp_path / "sftp")
        with pytest.raises(ConfigurationError, match="must be mounted there, not linked"):
            FolderZone(tmp_path / "zone").waiting()

    def test_the_name_of_a_sender_cannot_lead_elsewhere(self, zone: FolderZone) -> None:
        with pytest.raises(KeyRefusedError):
            zone.waiting("../archive")

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
    def test_size_and_existence(self, zone: FolderZone) -> None:
        uri = drop(zone, "incoming/BOKAB/Umeå 1%.mrc")
        assert uri.endswith("/incoming/BOKAB/Ume%C3%A5%201%25.mrc")
        assert zone.key_of(uri) == "incoming/BOKAB/Umeå 1%.mrc"
        assert zone.size(uri) == len(RECORD)
        assert zone.exists(uri)
        assert not zone.exists(zone.uri_for("incoming/BOKAB/other.mrc"))
        assert not zone.exists(zone.uri_for("incoming/BOKAB"))
        assert not zone.exists(uri + "/below")

    def test_a_file_that_is_gone_is_told(self, zone: FolderZone) -> None:
        uri = zone.uri_for("incoming/BOKAB/gone.mrc")
        with pytest.raises(NotLandedError, match=r"incoming/BOKAB/gone\.mrc: is not in the landing zone"):
            zone.open(uri)
        with pytest.raises(NotLandedError):
            zone.size(uri)

    @pytest.mark.parametrize(
        "tail", ["../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "incoming%2f..%2f..%2fx", "incoming/%00", ""]
    )
    def test_a_uri_cannot_lead_out_of_the_zone(self, zone: FolderZone, tail: str) -> None:
        with pytest.raises(KeyRefusedError):
            zone.open(f"{zone.root.as_uri()}/{tail}")

    @pytest.mark.parametrize("uri", ["file:///etc/passwd", "/etc/passwd", "s3://bucket/incoming/a", "incoming/a", ""])
    def test_a_uri_of_another_place_is_refused(self, zone: FolderZone, uri: str) -> None:
        with pytest.raises(KeyRefusedError, match="not in this landing zone"):
            zone.open(uri)

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
    @pytest.mark.parametrize("content", [RECORD, b""])
    @pytest.mark.parametrize("streamed", [True, False])
    def test_what_is_put_can_be_read(self, zone: FolderZone, content: bytes, streamed: bool) -> None:
        uri = zone.put("reports/2025/natt.mrc", io.BytesIO(content) if streamed else content)
        assert uri == zone.uri_for("reports/2025/natt.mrc")
        assert read(zone, uri) == content

    def test_the_same_content_again_changes_nothing(self, zone: FolderZone) -> None:
        uri = zone.put("reports/a.txt", b"one")
        before = os.stat(zone.root / "reports/a.txt")
        for overwrite in (False, True):
            assert zone.put("reports/a.txt", io.BytesIO(b"one"), overwrite=overwrite) == uri
        after = os.stat(zone.root / "reports/a.txt")
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_other_content_is_refused_unless_it_may_overwrite(self, zone: FolderZone) -> None:
        uri = zone.put("reports/a.txt", b"one")
        with pytest.raises(KeyTakenError, match=r"reports/a\.txt: other content is there already"):
            zone.put("reports/a.txt", b"two")
        assert read(zone, uri) == b"one"
        zone.put("reports/a.txt", b"two", overwrite=True)
        assert everything(zone) == {"reports/a.txt": b"two"}

    def test_a_stream_that_breaks_leaves_nothing(self, zone: FolderZone) -> None:
        class Breaking(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell():
                    raise ConnectionError("line cut")
                return super().read(4)

        with pytest.raises(ConnectionError):
            zone.put("archive/a.mrc", Breaking(RECORD))
        assert everything(zone) == {}

    def test_content_that_is_not_what_it_should_be_leaves_nothing(self, zone: FolderZone) -> None:
        with pytest.raises(ContentChangedError):
            zone.put("archive/a.mrc", io.BytesIO(RECORD), sha256="0" * 64)
        assert everything(zone) == {}
        zone.put("archive/a.mrc", io.BytesIO(RECORD), sha256=fingerprint_of(RECORD).sha256)
        assert everything(zone) == {"archive/a.mrc": RECORD}

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

    def test_delete_can_be_repeated(self, zone: FolderZone) -> None:
        uri = zone.put("reports/a.txt", b"one")
        zone.delete(uri)
        zone.delete(uri)
        zone.delete(uri + "/below")
        assert everything(zone) == {}
        with pytest.raises(UnreadableFileError, match="is a folder"):
            zone.delete(zone.uri_for("incoming/BOKAB"))


class TestMoving:
    SHA = fingerprint_of(RECORD).sha256

    @pytest.mark.parametrize("sha256", [None, SHA])
    def test_a_move_can_be_repeated(self, zone: FolderZone, sha256: str | None) -> None:
        uri = drop(zone, "incoming/BOKAB/a.mrc")
        for _ in range(3):
            assert zone.move(uri, "archive/BOKAB/a.mrc", sha256=sha256) == zone.uri_for("archive/BOKAB/a.mrc")
        assert everything(zone) == {"archive/BOKAB/a.mrc": RECORD}

    def test_a_move_that_was_killed_half_done_is_finished(self, zone: FolderZone) -> None:
        uri = drop(zone, "incoming/BOKAB/a.mrc")
        zone.put("archive/BOKAB/a.mrc", RECORD)
        zone.move(uri, "archive/BOKAB/a.mrc")
        assert everything(zone) == {"archive/BOKAB/a.mrc": RECORD}

    def test_other_content_at_the_target_is_never_overwritten(self, zone: FolderZone) -> None:
        uri = drop(zone, "incoming/BOKAB/a.mrc")
        zone.put("archive/BOKAB/a.mrc", b"other")
        with pytest.raises(KeyTakenError):
            zone.move(uri, "archive/BOKAB/a.mrc")
        assert everything(zone) == {"incoming/BOKAB/a.mrc": RECORD, "archive/BOKAB/a.mrc": b"other"}

    def test_a_file_that_was_sent_again_meanwhile_stays(self, zone: FolderZone) -> None:
        uri = drop(zone, "incoming/BOKAB/a.mrc", b"the next delivery under the same name")
        with pytest.raises(ContentChangedError, match="the new content is a delivery of its own"):
            zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert list(everything(zone)) == ["incoming/BOKAB/a.mrc"]

    def test_a_file_that_is_neither_here_nor_there_is_told(self, zone: FolderZone) -> None:
        uri = zone.uri_for("incoming/BOKAB/a.mrc")
        with pytest.raises(NotLandedError, match=r"is neither there nor under archive/BOKAB/a\.mrc"):
            zone.move(uri, "archive/BOKAB/a.mrc")
        zone.put("archive/BOKAB/a.mrc", b"other")
        with pytest.raises(NotLandedError):
            zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)

    def test_a_move_to_where_it_is_changes_nothing(self, zone: FolderZone) -> None:
        uri = drop(zone, "incoming/BOKAB/a.mrc")
        assert zone.move(uri, "incoming/BOKAB/a.mrc", sha256=self.SHA) == uri
        assert everything(zone) == {"incoming/BOKAB/a.mrc": RECORD}

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
    def test_a_file_from_elsewhere_is_copied_and_left_as_it_is(self, zone: FolderZone, tmp_path: Path) -> None:
        mine = tmp_path / "my files" / "dag 1.mrc"
        mine.parent.mkdir()
        mine.write_bytes(RECORD)
        before = mine.stat()
        uri = zone.adopt(mine, "BOKAB")
        assert zone.key_of(uri) == f"handed/BOKAB/{fingerprint_of(RECORD).sha256[:12]}/dag 1.mrc"
        assert zone.adopt(mine, "BOKAB") == uri
        zone.move(uri, "archive/BOKAB/x.mrc")
        assert mine.read_bytes() == RECORD
        assert mine.stat().st_mtime_ns == before.st_mtime_ns

    def test_a_handed_file_starts_nothing_by_itself(self, zone: FolderZone, tmp_path: Path) -> None:
        (tmp_path / "a.mrc").write_bytes(RECORD)
        zone.adopt(tmp_path / "a.mrc", "BOKAB")
        assert zone.waiting() == []

    def test_the_same_name_with_new_content_is_another_file(self, zone: FolderZone, tmp_path: Path) -> None:
        mine = tmp_path / "a.mrc"
        mine.write_bytes(RECORD)
        first = zone.adopt(mine, "BOKAB")
        mine.write_bytes(RECORD * 2)
        assert read(zone, zone.adopt(mine, "BOKAB")) == RECORD * 2
        assert read(zone, first) == RECORD

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

    def test_what_is_no_file_is_wrong_use(self, zone: FolderZone, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            for name in ("pipe", "s", ".", "missing.mrc", "pipe/below"):
                with pytest.raises(UsageError) as error:
                    zone.adopt(tmp_path / name, "BOKAB")
                assert error.value.exit_code == 2
                assert error.value.remedy

    def test_a_name_that_no_store_can_hold_is_refused(self, zone: FolderZone, tmp_path: Path) -> None:
        (tmp_path / "a\\b.mrc").write_bytes(RECORD)
        with pytest.raises(KeyRefusedError, match="backslash"):
            zone.adopt(tmp_path / "a\\b.mrc", "BOKAB")
        assert everything(zone) == {}
