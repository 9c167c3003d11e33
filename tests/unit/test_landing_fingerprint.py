"""Fingerprints: sha256 and size, at constant memory."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tasks.landing.fingerprint import Fingerprint, copy_with_fingerprint, fingerprint, fingerprint_of


def test_the_digest_is_the_published_one_for_abc() -> None:
    published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint(io.BytesIO(b"abc")) == Fingerprint(published, 3)


def test_an_empty_file_has_a_fingerprint() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert fingerprint(io.BytesIO()) == Fingerprint(empty, 0)


@given(st.binary(max_size=2000))
def test_stream_copy_and_memory_agree(content: bytes) -> None:
    copy = io.BytesIO()
    assert fingerprint(io.BytesIO(content)) == fingerprint_of(content)
    assert copy_with_fingerprint(io.BytesIO(content), copy) == fingerprint_of(content)
    assert copy.getvalue() == content


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    large = tmp_path / "large.mrc"
    with large.open("wb") as stream:
        stream.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    with large.open("rb") as stream:
        assert fingerprint(stream).size == 64 * 1024 * 1024
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
