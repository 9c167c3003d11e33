"""What a file is packed with, told by its first bytes and never by its extension."""

from __future__ import annotations

HEAD_BYTES = 512
"""Enough for every sign below; a tar archive shows itself at byte 257."""

_SIGNS = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x9d", "compress"),
)
_TAR_AT = 257


def packing_of(head: bytes) -> str:
    """`gzip`, `zip`, `bzip2`, `xz`, `7z`, `rar`, `zstd`, `compress`, `tar`; empty for a file that is not packed."""
    for sign, packing in _SIGNS:
        if head.startswith(sign):
            return packing
    return "tar" if head[_TAR_AT : _TAR_AT + 5] == b"ustar" else ""
