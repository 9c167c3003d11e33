"""What every landing zone promises, proved on a folder and on a bucket of a real server that speaks S3."""

from __future__ import annotations

import io
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import ConfigurationError, UsageError
from tasks.landing.fingerprint import fingerprint_of
from tasks.landing.keys import Area, KeyRefusedError
from tasks.landing.opening import open_zone
from tasks.landing.zone import ContentChangedError, KeyTakenError, LandingZone, NotLandedError
from tests.landing_zones import BucketKept, FolderKept, KeptZone

RECORD = b"00026nam a2200025   4500\x1e\x1d"


@pytest.fixture(params=["folder", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> KeptZone:
    kept: KeptZone = FolderKept(tmp_path / "landing zone")
    if request.param == "s3":
        kept = BucketKept(request.getfixturevalue("object_store"), request.getfixturevalue("bucket_url"))
    kept.zone.prepare(["BOKAB", "NORDBOK"])
    return kept


def read(zone: LandingZone, uri: str) -> bytes:
    with zone.open(uri) as stream:
        return stream.read()


class TestOpening:
    @pytest.mark.parametrize(
        ("url", "cause"),
        [
            ("ftp://host/x", "unknown scheme ftp://"),
            ("file://otherhost/x", "names another machine"),
            ("file://", "no absolute path"),
            ("", "is empty"),
            ("a\0b", "NUL"),
            ("s3://", "names no bucket"),
            ("s3://user:password@host/x", "names no bucket"),
            ("s3://bucket/a/../b", "its prefix cannot be used"),
            ("s3://bucket//a", "its prefix cannot be used, an empty part"),
        ],
    )
    def test_any_other_url_is_a_wrong_configuration(self, url: str, cause: str) -> None:
        with pytest.raises(ConfigurationError) as error:
            open_zone(url)
        assert cause in error.value.cause
        assert error.value.field == "LANDING_URL"
        assert error.value.exit_code == 2

    def test_prepare_can_be_repeated(self, kept: KeptZone) -> None:
        kept.zone.prepare(["BOKAB"])
        assert kept.everything() == {}
        assert kept.zone.waiting() == []


class TestWaiting:
    def test_oldest_first_then_by_name(self, kept: KeptZone) -> None:
        kept.drop("incoming/BOKAB/b.mrc", RECORD, at=2000)
        kept.drop("incoming/BOKAB/c.mrc", RECORD, at=1000)
        kept.drop("incoming/NORDBOK/a.mrc", RECORD, at=2000)
        kept.drop("incoming/BOKAB/2025/deep.mrc", b"1234567", at=3000)
        assert [each.name for each in kept.zone.waiting()] == ["c.mrc", "a.mrc", "b.mrc", "deep.mrc"]
        assert [each.name for each in kept.zone.waiting("BOKAB")] == ["c.mrc", "b.mrc", "deep.mrc"]
        last = kept.zone.waiting()[-1]
        assert (last.sender, last.key, last.size) == ("BOKAB", "incoming/BOKAB/2025/deep.mrc", 7)
        assert last.modified_at == datetime.fromtimestamp(3000, UTC)
        assert read(kept.zone, last.uri) == b"1234567"

    def test_hidden_files_and_folders_are_left_out(self, kept: KeptZone) -> None:
        kept.drop("incoming/BOKAB/a.mrc", RECORD)
        for key in ("incoming/BOKAB/.a.mrc.Xy12", "incoming/BOKAB/.sync/b.mrc", "incoming/.stfolder/c.mrc"):
            kept.drop(key, RECORD)
        assert [each.name for each in kept.zone.waiting()] == ["a.mrc"]
        assert kept.zone.refused() == []

    def test_a_sender_without_a_folder_has_sent_nothing(self, kept: KeptZone) -> None:
        assert kept.zone.waiting("NEWBOOKS") == []

    def test_the_name_of_a_sender_cannot_lead_elsewhere(self, kept: KeptZone) -> None:
        with pytest.raises(KeyRefusedError):
            kept.zone.waiting("../archive")

    def test_a_stray_file_and_an_unusable_name_are_told_and_hide_no_neighbour(self, kept: KeptZone) -> None:
        kept.drop("incoming/BOKAB/good.mrc", RECORD)
        kept.drop("incoming/stray.mrc", RECORD)
        kept.drop("incoming/BOKAB/a\\b.mrc", RECORD)
        assert [each.name for each in kept.zone.waiting()] == ["good.mrc"]
        assert [(each.sender, each.name, each.reason.split(":")[0]) for each in kept.zone.refused()] == [
            ("", "stray.mrc", "lies outside every sender's folder"),
            ("BOKAB", "BOKAB/a\\b.mrc", "a slash or backslash in the name"),
        ]
        assert all(each.remedy for each in kept.zone.refused())
        assert kept.zone.refused("NORDBOK") == []

    def test_what_is_stored_is_listed_by_area(self, kept: KeptZone) -> None:
        kept.drop("incoming/BOKAB/a.mrc", RECORD)
        uri = kept.zone.put("rejects/BOKAB/17/list.txt", b"none")
        kept.drop("rejects/BOKAB/.hidden", b"x")
        [found] = kept.zone.stored(Area.REJECTS)
        assert (found.uri, found.key, found.size) == (uri, "rejects/BOKAB/17/list.txt", 4)
        assert list(kept.zone.stored(Area.EXPORTS)) == []


class TestReading:
    def test_a_file_is_read_from_anywhere_in_it(self, kept: KeptZone) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", bytes(range(200)))
        with kept.zone.open(uri) as stream:
            assert stream.seek(-3, io.SEEK_END) == 197
            assert stream.read() == bytes([197, 198, 199])
            assert stream.read() == b""
            stream.seek(50)
            assert stream.read(2) == bytes([50, 51])
            assert stream.seek(8, io.SEEK_CUR) == 60
            assert stream.read(1) == bytes([60])

    def test_size_and_existence(self, kept: KeptZone) -> None:
        uri = kept.drop("incoming/BOKAB/Umeå 1%.mrc", RECORD)
        assert uri.endswith("/incoming/BOKAB/Ume%C3%A5%201%25.mrc")
        assert kept.zone.key_of(uri) == "incoming/BOKAB/Umeå 1%.mrc"
        assert kept.zone.size(uri) == len(RECORD)
        assert kept.zone.exists(uri)
        assert not kept.zone.exists(kept.zone.uri_for("incoming/BOKAB/other.mrc"))
        assert not kept.zone.exists(kept.zone.uri_for("incoming/BOKAB"))
        assert not kept.zone.exists(uri + "/below")

    def test_a_file_that_is_gone_is_told(self, kept: KeptZone) -> None:
        uri = kept.zone.uri_for("incoming/BOKAB/gone.mrc")
        with pytest.raises(NotLandedError, match=r"incoming/BOKAB/gone\.mrc: is not in the landing zone"):
            kept.zone.open(uri)
        with pytest.raises(NotLandedError):
            kept.zone.size(uri)

    @pytest.mark.parametrize(
        "tail", ["../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "incoming%2f..%2f..%2fx", "incoming/%00", ""]
    )
    def test_a_uri_cannot_lead_out_of_the_zone(self, kept: KeptZone, tail: str) -> None:
        with pytest.raises(KeyRefusedError):
            kept.zone.open(kept.zone.uri_for("incoming/a").removesuffix("incoming/a") + tail)

    @pytest.mark.parametrize(
        "uri", ["file:///etc/passwd", "/etc/passwd", "s3://another-bucket/incoming/a", "incoming/a", ""]
    )
    def test_a_uri_of_another_place_is_refused(self, kept: KeptZone, uri: str) -> None:
        with pytest.raises(KeyRefusedError, match="not in this landing zone"):
            kept.zone.open(uri)


class TestWriting:
    @pytest.mark.parametrize("content", [RECORD, b""])
    @pytest.mark.parametrize("streamed", [True, False])
    def test_what_is_put_can_be_read(self, kept: KeptZone, content: bytes, streamed: bool) -> None:
        uri = kept.zone.put("reports/2025/natt.mrc", io.BytesIO(content) if streamed else content)
        assert uri == kept.zone.uri_for("reports/2025/natt.mrc")
        assert read(kept.zone, uri) == content

    def test_other_content_is_refused_unless_it_may_overwrite(self, kept: KeptZone) -> None:
        uri = kept.zone.put("reports/a.txt", b"one")
        with pytest.raises(KeyTakenError, match=r"reports/a\.txt: other content is there already"):
            kept.zone.put("reports/a.txt", b"two")
        assert read(kept.zone, uri) == b"one"
        kept.zone.put("reports/a.txt", b"two", overwrite=True)
        assert kept.everything() == {"reports/a.txt": b"two"}

    def test_a_stream_that_breaks_leaves_nothing(self, kept: KeptZone) -> None:
        class Breaking(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell():
                    raise ConnectionError("line cut")
                return super().read(4)

        with pytest.raises(ConnectionError):
            kept.zone.put("archive/a.mrc", Breaking(RECORD))
        assert kept.everything() == {}

    def test_content_that_is_not_what_it_should_be_leaves_nothing(self, kept: KeptZone) -> None:
        with pytest.raises(ContentChangedError):
            kept.zone.put("archive/a.mrc", io.BytesIO(RECORD), sha256="0" * 64)
        assert kept.everything() == {}
        kept.zone.put("archive/a.mrc", io.BytesIO(RECORD), sha256=fingerprint_of(RECORD).sha256)
        assert kept.everything() == {"archive/a.mrc": RECORD}

    def test_delete_can_be_repeated(self, kept: KeptZone) -> None:
        uri = kept.zone.put("reports/a.txt", b"one")
        kept.zone.delete(uri)
        kept.zone.delete(uri)
        kept.zone.delete(uri + "/below")
        assert kept.everything() == {}


class TestMoving:
    SHA = fingerprint_of(RECORD).sha256

    @pytest.mark.parametrize("sha256", [None, SHA])
    def test_a_move_can_be_repeated(self, kept: KeptZone, sha256: str | None) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
        for _ in range(3):
            assert kept.zone.move(uri, "archive/BOKAB/a.mrc", sha256=sha256) == kept.zone.uri_for("archive/BOKAB/a.mrc")
        assert kept.everything() == {"archive/BOKAB/a.mrc": RECORD}

    def test_a_move_that_was_killed_half_done_is_finished(self, kept: KeptZone) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
        kept.zone.put("archive/BOKAB/a.mrc", RECORD)
        kept.zone.move(uri, "archive/BOKAB/a.mrc")
        assert kept.everything() == {"archive/BOKAB/a.mrc": RECORD}

    def test_other_content_at_the_target_is_never_overwritten(self, kept: KeptZone) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
        kept.zone.put("archive/BOKAB/a.mrc", b"other")
        with pytest.raises(KeyTakenError):
            kept.zone.move(uri, "archive/BOKAB/a.mrc")
        assert kept.everything() == {"incoming/BOKAB/a.mrc": RECORD, "archive/BOKAB/a.mrc": b"other"}

    def test_a_file_that_was_sent_again_meanwhile_stays(self, kept: KeptZone) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", b"the next delivery under the same name")
        with pytest.raises(ContentChangedError, match="the new content is a delivery of its own"):
            kept.zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)
        assert list(kept.everything()) == ["incoming/BOKAB/a.mrc"]

    def test_a_file_that_is_neither_here_nor_there_is_told(self, kept: KeptZone) -> None:
        uri = kept.zone.uri_for("incoming/BOKAB/a.mrc")
        with pytest.raises(NotLandedError, match=r"is neither there nor under archive/BOKAB/a\.mrc"):
            kept.zone.move(uri, "archive/BOKAB/a.mrc")
        kept.zone.put("archive/BOKAB/a.mrc", b"other")
        with pytest.raises(NotLandedError):
            kept.zone.move(uri, "archive/BOKAB/a.mrc", sha256=self.SHA)

    def test_a_move_to_where_it_is_changes_nothing(self, kept: KeptZone) -> None:
        uri = kept.drop("incoming/BOKAB/a.mrc", RECORD)
        assert kept.zone.move(uri, "incoming/BOKAB/a.mrc", sha256=self.SHA) == uri
        assert kept.everything() == {"incoming/BOKAB/a.mrc": RECORD}


class TestAdopting:
    def test_a_file_from_elsewhere_is_copied_and_left_as_it_is(self, kept: KeptZone, tmp_path: Path) -> None:
        mine = tmp_path / "my files" / "dag 1.mrc"
        mine.parent.mkdir()
        mine.write_bytes(RECORD)
        before = mine.stat()
        uri = kept.zone.adopt(mine, "BOKAB")
        assert kept.zone.key_of(uri) == f"handed/BOKAB/{fingerprint_of(RECORD).sha256[:12]}/dag 1.mrc"
        assert kept.zone.adopt(mine, "BOKAB") == uri
        kept.zone.move(uri, "archive/BOKAB/x.mrc")
        assert mine.read_bytes() == RECORD
        assert mine.stat().st_mtime_ns == before.st_mtime_ns

    def test_a_handed_file_starts_nothing_by_itself(self, kept: KeptZone, tmp_path: Path) -> None:
        (tmp_path / "a.mrc").write_bytes(RECORD)
        kept.zone.adopt(tmp_path / "a.mrc", "BOKAB")
        assert kept.zone.waiting() == []

    def test_the_same_name_with_new_content_is_another_file(self, kept: KeptZone, tmp_path: Path) -> None:
        mine = tmp_path / "a.mrc"
        mine.write_bytes(RECORD)
        first = kept.zone.adopt(mine, "BOKAB")
        mine.write_bytes(RECORD * 2)
        assert read(kept.zone, kept.zone.adopt(mine, "BOKAB")) == RECORD * 2
        assert read(kept.zone, first) == RECORD

    def test_what_is_no_file_is_wrong_use(self, kept: KeptZone, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            for name in ("pipe", "s", ".", "missing.mrc", "pipe/below"):
                with pytest.raises(UsageError) as error:
                    kept.zone.adopt(tmp_path / name, "BOKAB")
                assert error.value.exit_code == 2
                assert error.value.remedy

    def test_a_name_that_no_store_can_hold_is_refused(self, kept: KeptZone, tmp_path: Path) -> None:
        (tmp_path / "a\\b.mrc").write_bytes(RECORD)
        with pytest.raises(KeyRefusedError, match="backslash"):
            kept.zone.adopt(tmp_path / "a\\b.mrc", "BOKAB")
        assert kept.everything() == {}


class TestStored:
    def test_every_file_of_an_area_is_told_with_its_size_and_time(self, kept: KeptZone) -> None:
        old = 1_700_000_000
        kept.drop("rejects/BOKAB/1/list.txt", b"12345", at=old)
        kept.drop("rejects/BOKAB/1/errors.csv", b"1", at=old)
        kept.drop("rejectsX/a.txt", b"1")
        kept.zone.put("reports/overview/latest.html", b"123")
        kept.drop("rejects/.hidden", b"1")
        found = sorted(kept.zone.stored(Area.REJECTS))
        assert [(each.key, each.size) for each in found] == [
            ("rejects/BOKAB/1/errors.csv", 1),
            ("rejects/BOKAB/1/list.txt", 5),
        ]
        assert {each.modified_at for each in found} == {datetime.fromtimestamp(old, UTC)}
        assert [kept.zone.exists(each.uri) for each in found] == [True, True]
        assert [each.key for each in kept.zone.stored(Area.REPORTS)] == ["reports/overview/latest.html"]

    def test_an_area_without_files_has_none(self, kept: KeptZone) -> None:
        assert list(kept.zone.stored(Area.HANDED)) == []
