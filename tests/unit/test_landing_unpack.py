"""Unpacking: plain, gzip and zip, streamed; bombs, tricks and damage reject the delivery in words."""

from __future__ import annotations

import gzip
import io
import random
import stat
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import DeliveryRejectedError
from schemas.marc import Finding
from tasks.landing.packing import packing_of
from tasks.landing.unpack import Unpacked, UnpackLimits, measure, members_of

RECORD = b"00026nam a2200025   4500\x1e\x1d"
MIB = 1024 * 1024
SHARED = Path(__file__).parents[3] / "shared" / "data"


class Forward(io.BytesIO):
    """A stream that cannot seek and gives a few bytes at a time, as a network does."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("seek")

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, 7) if size is not None and size > 0 else size)


def zipped(members: dict[str, bytes] | list[tuple[str | zipfile.ZipInfo, bytes]], method: int = 8) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return whole.getvalue()


def unpacked(
    content: bytes | BinaryIO, limits: UnpackLimits | None = None, name: str = "dag.mrc"
) -> list[tuple[int, str, bytes]]:
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    return [(each.member_no, each.member_name, each.stream.read()) for each in members_of(stream, name, limits)]


def rejection(content: bytes | BinaryIO, limits: UnpackLimits | None = None) -> DeliveryRejectedError:
    with pytest.raises(DeliveryRejectedError) as raised:
        unpacked(content, limits, "dag.mrc.gz")
    assert raised.value.file == "dag.mrc.gz"
    assert raised.value.remedy
    return raised.value


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


class TestPlain:
    @pytest.mark.parametrize(
        "content",
        [RECORD, b"", b"P", b"<html>log in</html>", b"\x1f", pytest.param(noise(300_000), id="300 kB")],
    )
    @pytest.mark.parametrize("stream", [io.BytesIO, Forward])
    def test_a_plain_file_is_one_member(self, content: bytes, stream: type[io.BytesIO]) -> None:
        assert unpacked(stream(content)) == [(0, "dag.mrc", content)]

    def test_what_it_is_called_does_not_matter(self) -> None:
        assert unpacked(RECORD, name="dag.zip") == [(0, "dag.zip", RECORD)]
        assert unpacked(gzip.compress(RECORD), name="dag.mrc") == [(0, "dag.mrc", RECORD)]

    def test_the_limits_are_not_for_a_plain_file(self) -> None:
        assert unpacked(noise(2 * MIB), UnpackLimits(bytes=1, ratio=0.1))[0][2] == noise(2 * MIB)

    @pytest.mark.parametrize(
        ("head", "packing"),
        [
            (b"BZh91AY&SY", "bzip2"),
            (b"\xfd7zXZ\x00\x00", "xz"),
            (b"7z\xbc\xaf\x27\x1c", "7z"),
            (b"Rar!\x1a\x07\x01", "rar"),
            (b"\x28\xb5\x2f\xfd", "zstd"),
            (b"\x1f\x9d\x90", "compress"),
            (b"dag.mrc".ljust(257, b"\0") + b"ustar\x0000", "tar"),
        ],
    )
    def test_other_packings_are_named(self, head: bytes, packing: str) -> None:
        assert packing_of(head) == packing
        assert rejection(head).cause == f"it is packed as {packing}"

    @pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside the project")
    def test_no_real_marc_file_is_taken_for_an_archive_or_changed(self) -> None:
        seen = 0
        for kind in ("marc-bib", "marc-holdings", "marc-bad"):
            for path in (each for each in (SHARED / kind).rglob("*") if each.is_file()):
                with path.open("rb") as stream:
                    assert unpacked(stream, name=path.name) == [(0, path.name, path.read_bytes())]
                seen += 1
        assert seen > 100


class TestGzip:
    @pytest.mark.parametrize("content", [RECORD, b"", pytest.param(noise(700_000), id="700 kB")])
    @pytest.mark.parametrize("stream", [io.BytesIO, Forward])
    def test_a_gzip_file_is_one_member(self, content: bytes, stream: type[io.BytesIO]) -> None:
        assert unpacked(stream(gzip.compress(content)), name="dag.mrc.gz") == [(0, "dag.mrc", content)]

    def test_two_gzip_files_one_after_the_other_are_one(self) -> None:
        assert unpacked(gzip.compress(RECORD) + gzip.compress(b"more"))[0][2] == RECORD + b"more"

    @pytest.mark.parametrize("cut", [1, 3, 8, 9, 20])
    def test_a_truncated_one_is_rejected(self, cut: int) -> None:
        error = rejection(gzip.compress(noise(100))[:-cut])
        assert error.cause == "the packed data ends too early"
        assert "send it again" in str(error.remedy)

    def test_every_cut_of_a_gzip_file_is_rejected(self) -> None:
        packed = gzip.compress(noise(60))
        for end in range(2, len(packed)):
            assert rejection(packed[:end])

    def test_a_wrong_checksum_is_rejected(self) -> None:
        packed = bytearray(gzip.compress(RECORD * 50))
        packed[-8] ^= 0xFF
        assert "CRC check failed" in rejection(bytes(packed)).cause

    def test_damaged_data_is_rejected(self) -> None:
        packed = bytearray(gzip.compress(noise(5000)))
        packed[10:40] = b"\xff" * 30
        assert rejection(bytes(packed)).cause.startswith("the packed data is damaged")

    def test_other_bytes_at_the_end_are_rejected(self) -> None:
        assert rejection(gzip.compress(RECORD) + RECORD).cause.startswith("the packed data is damaged")

    def test_a_bomb_is_rejected_by_its_ratio_before_much_came_out(self) -> None:
        bomb = gzip.compress(bytes(64 * MIB))
        assert len(bomb) < MIB / 8
        came_out = 0
        with pytest.raises(DeliveryRejectedError, match="more than 200 times its size"):
            for member in members_of(io.BytesIO(bomb), "dag.mrc.gz"):
                while chunk := member.stream.read(64 * 1024):
                    came_out += len(chunk)
        assert came_out <= 200 * len(bomb)

    def test_a_small_file_of_records_that_are_alike_is_no_bomb(self) -> None:
        content = RECORD * 30_000
        assert len(content) / len(gzip.compress(content)) > 200
        assert unpacked(gzip.compress(content))[0][2] == content

    def test_the_size_is_limited_to_the_byte(self) -> None:
        content = noise(3 * MIB)
        assert unpacked(gzip.compress(content, 1), UnpackLimits(bytes=3 * MIB))[0][2] == content
        error = rejection(gzip.compress(content, 1), UnpackLimits(bytes=3 * MIB - 1))
        assert error.cause == "it unpacks to more than 3,145,727 bytes"

    @pytest.mark.parametrize("inner", [gzip.compress(RECORD), zipped({"a.mrc": RECORD})], ids=["gzip", "zip"])
    def test_an_archive_in_it_is_refused(self, inner: bytes) -> None:
        assert "archives within archives are not opened" in rejection(gzip.compress(inner)).cause

    def test_memory_stays_small(self) -> None:
        packed = gzip.compress(noise(MIB) * 24, 1)
        tracemalloc.start()
        assert measure(io.BytesIO(packed), "dag.mrc.gz") == Unpacked(1, 24 * MIB)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * MIB

    def test_an_error_of_the_disk_is_no_fault_of_the_delivery(self) -> None:
        class Failing(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell() > 600_000:
                    raise OSError(5, "Input/output error")
                return super().read(size)

        with pytest.raises(OSError, match="Input/output error"):
            unpacked(Failing(gzip.compress(noise(MIB))))


class TestZip:
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize("stream", [io.BytesIO, Forward])
    def test_members_come_in_the_order_of_their_names(self, method: int, stream: type[io.BytesIO]) -> None:
        content = zipped({"b.mrc": b"2", "ä.mrc": b"4", "a/z.mrc": noise(400_000), "c.mrc": b""}, method)
        assert unpacked(stream(content)) == [
            (0, "a/z.mrc", noise(400_000)),
            (1, "b.mrc", b"2"),
            (2, "c.mrc", b""),
            (3, "ä.mrc", b"4"),
        ]

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_two_members_of_one_name_are_both_read(self) -> None:
        assert unpacked(zipped([("a.mrc", b"1"), ("a.mrc", b"2")])) == [(0, "a.mrc", b"1"), (1, "a.mrc", b"2")]

    def test_the_callers_stream_stays_open(self) -> None:
        stream = io.BytesIO(zipped({"a.mrc": RECORD}))
        unpacked(stream)
        assert not stream.closed

    def test_a_member_that_was_not_read_does_not_disturb_the_next(self) -> None:
        members = members_of(io.BytesIO(zipped({"a": noise(MIB), "b": RECORD})), "dag.zip")
        next(members)
        assert next(members).stream.read() == RECORD

    def test_what_macos_and_windows_leave_is_ignored_and_told(self) -> None:
        findings: list[Finding] = []
        content = zipped(
            {
                "__MACOSX/._dag.mrc": b"junk",
                ".DS_Store": b"junk",
                "sub/.DS_Store": b"junk",
                "sub/._b.mrc": b"junk",
                "Thumbs.db": b"junk",
                "dag.mrc": RECORD,
                "my.DS_Store.mrc": RECORD,
            }
        )
        found = [each.member_name for each in members_of(io.BytesIO(content), "dag.zip", on_finding=findings.append)]
        assert found == ["dag.mrc", "my.DS_Store.mrc"]
        assert [each.field for each in findings] == [
            "__MACOSX/._dag.mrc",
            ".DS_Store",
            "sub/.DS_Store",
            "sub/._b.mrc",
            "Thumbs.db",
        ]
        assert {each.code for each in findings} == {"junk_member"}

    def test_folders_are_no_members(self) -> None:
        assert unpacked(zipped({"sub/": b"", "sub\\": b"", "sub/a.mrc": RECORD})) == [(0, "sub/a.mrc", RECORD)]

    @pytest.mark.parametrize("members", [{}, {"sub/": b""}, {".DS_Store": b"junk"}])
    def test_a_zip_without_a_file_is_rejected(self, members: dict[str, bytes]) -> None:
        assert rejection(zipped(members)).cause == "the zip file holds no file"

    @pytest.mark.parametrize(
        "name",
        ["../a.mrc", "a/../../b.mrc", "/etc/passwd", "C:\\a.mrc", "c:a.mrc", "..\\a.mrc", "\\\\host\\a", "a\nb.mrc"],
    )
    def test_a_name_with_a_trick_is_rejected(self, name: str) -> None:
        assert "leads out of it or cannot be shown" in rejection(zipped({"ok.mrc": RECORD, name: RECORD})).cause

    def test_a_nul_in_a_name_is_rejected(self) -> None:
        content = zipped({"a.mrc_.txt": RECORD}).replace(b"a.mrc_.txt", b"a.mrc\0.txt")
        assert "leads out of it or cannot be shown: 'a.mrc\\x00.txt'" in rejection(content).cause

    def test_backslashes_of_old_windows_tools_are_no_trick(self) -> None:
        assert unpacked(zipped({"sub\\a.mrc": RECORD})) == [(0, "sub\\a.mrc", RECORD)]

    def test_a_symbolic_link_is_rejected(self) -> None:
        link = zipfile.ZipInfo("a.mrc")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        assert rejection(zipped([(link, b"/etc/passwd")])).cause == "a.mrc is a symbolic link"

    def test_an_encrypted_member_is_rejected(self) -> None:
        content = bytearray(zipped({"a.mrc": RECORD}))
        contents_at = content.index(b"PK\x01\x02")
        for flags_at in (6, contents_at + 8):
            content[flags_at] |= 1
        error = rejection(bytes(content))
        assert error.cause == "a.mrc is encrypted"
        assert "without a password" in str(error.remedy)

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_methods_are_rejected(self, method: int) -> None:
        error = rejection(zipped({"a.mrc": RECORD}, method))
        assert error.cause == f"a.mrc is packed with method {method}"
        assert error.remedy == "pack it with deflate"

    @pytest.mark.parametrize(
        "inner", [gzip.compress(RECORD), zipped({"a.mrc": RECORD}), b"Rar!\x1a\x07\x01"], ids=["gzip", "zip", "rar"]
    )
    def test_an_archive_in_it_is_refused(self, inner: bytes) -> None:
        assert (
            "(b.bin): archives within archives are not opened"
            in rejection(zipped({"a.mrc": RECORD, "b.bin": inner})).cause
        )

    def test_the_count_of_members_is_limited(self) -> None:
        members = {f"{number}.mrc": RECORD for number in range(4)}
        assert len(unpacked(zipped(members), UnpackLimits(members=4))) == 4
        assert rejection(zipped(members), UnpackLimits(members=3)).cause == "it holds 4 entries, more than 3"

    def test_a_bomb_is_rejected_before_its_first_member(self) -> None:
        members = members_of(io.BytesIO(zipped({"a.mrc": RECORD, "b.mrc": bytes(8 * MIB)})), "dag.zip")
        with pytest.raises(DeliveryRejectedError, match="more than 200 times its size"):
            next(members)

    def test_the_size_of_all_members_is_limited_together(self) -> None:
        content = zipped({"a.mrc": noise(MIB), "b.mrc": noise(MIB)})
        assert len(unpacked(content, UnpackLimits(bytes=2 * MIB))) == 2
        assert "more than 2,097,151 bytes" in rejection(content, UnpackLimits(bytes=2 * MIB - 1)).cause

    def test_a_bomb_that_lies_about_its_size_gives_no_more_than_it_says(self) -> None:
        content = bytearray(zipped({"a.mrc": bytes(8 * MIB)}))
        contents_at = content.index(b"PK\x01\x02")
        for size_at in (22, contents_at + 24):
            content[size_at : size_at + 4] = struct.pack("<I", 1000)
        assert rejection(bytes(content)).cause.startswith("the packed data is damaged at a.mrc")

    def test_members_that_share_their_bytes_are_counted_each_time(self) -> None:
        """The overlapping bomb: many entries of the table of contents point at the same packed bytes."""
        content = zipped({"a.mrc": noise(MIB)})
        contents_at, end_at = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
        entry = content[contents_at:end_at]
        end = bytearray(content[end_at:])
        end[8:16] = struct.pack("<HHI", 400, 400, 400 * len(entry))
        assert "times its size" in rejection(content[:contents_at] + entry * 400 + bytes(end)).cause

    def test_a_very_large_table_of_contents_is_not_even_read(self) -> None:
        content = zipped({f"{number:06}{'n' * 1000}": b"" for number in range(4200)})
        assert rejection(content).cause.startswith("its table of contents has ")

    def test_a_truncated_zip_is_rejected(self) -> None:
        content = zipped({"a.mrc": noise(1000)})
        for end in (4, 500, len(content) - 30, len(content) - 1):
            error = rejection(content[:end])
            assert error.cause.startswith("it begins like a zip file, but its table of contents cannot be read")

    def test_a_wrong_checksum_is_rejected(self) -> None:
        content = bytearray(zipped({"a.mrc": RECORD}, zipfile.ZIP_STORED))
        content[content.index(RECORD)] ^= 1
        assert "damaged at a.mrc: Bad CRC-32" in rejection(bytes(content)).cause

    def test_memory_stays_small(self, tmp_path: Path) -> None:
        path = tmp_path / "dag.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for number in range(4):
                archive.writestr(f"{number}.mrc", noise(MIB) * 6)
        tracemalloc.start()
        with path.open("rb") as stream:
            assert measure(stream, "dag.zip") == Unpacked(4, 24 * MIB)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 6 * MIB


PACKED = {
    "zip": zipped({"a.mrc": RECORD * 40, "b/c.mrc": noise(200)}),
    "gzip": gzip.compress(RECORD * 40 + noise(200)),
}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(PACKED)), st.data())
def test_whatever_is_damaged_it_is_read_or_rejected_and_nothing_else(packing: str, data: st.DataObject) -> None:
    content = bytearray(PACKED[packing])
    places = st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6)):
        content[at] = value
    end = data.draw(st.integers(len(content) - 40, len(content)))
    with tempfile.TemporaryFile() as stream:  # a real file: it refuses places that memory takes
        stream.write(content[:end])
        stream.seek(0)
        try:
            unpacked(stream)
        except DeliveryRejectedError as error:
            assert error.cause  # noqa: PT017 - any other exception fails the test
            assert error.remedy  # noqa: PT017


def test_a_table_of_contents_that_points_before_the_file_is_rejected(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.mrc": RECORD}))
    content[-6:-2] = struct.pack("<I", 0x7FFFFFFF)
    (tmp_path / "dag.zip").write_bytes(content)
    with (tmp_path / "dag.zip").open("rb") as stream:
        assert "it points to a place before its beginning" in rejection(stream).cause


def test_what_comes_out_is_what_zlib_says() -> None:
    content = noise(200_000) + RECORD * 1000
    packed = gzip.compress(content)
    assert unpacked(packed)[0][2] == zlib.decompress(packed, wbits=31)


def test_of_a_plain_file_only_the_beginning_is_read_to_measure_it() -> None:
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            chunk = super().read(size)
            self.taken += len(chunk)
            return chunk

    stream = Counting(RECORD * 100_000)
    assert measure(stream, "dag.mrc") == Unpacked(1, len(RECORD) * 100_000)
    assert 0 < stream.taken < MIB
