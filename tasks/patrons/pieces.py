"""A file of persons in pieces, one a person: what every reader has in common before it understands any of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple, Protocol

from schemas.patrons import IncomingPerson, Position, RejectedRow

CHUNK_BYTES = 1024 * 1024
make_tuple = tuple.__new__
"""Makes a named tuple in half the time of its own constructor, which is no built-in one: for what each person costs."""
MAX_PERSON_BYTES = 1024 * 1024
"""A person that is longer is none: what closes it was lost."""


class PersonPiece(NamedTuple):
    """The record of one person as it stands in the file, not yet understood."""

    position: Position
    content: bytes
    content_hash: bytes
    """16 bytes, of `content` and of what outside it decides its meaning."""
    rejected: RejectedRow | None = None
    """Why nothing can be made of it; then `content` is empty."""

    def __repr__(self) -> str:
        """Without the person: it may stand in a traceback."""
        return f"PersonPiece({self.position!r}, {len(self.content)} bytes)"


class Reader(Protocol):
    """The two steps of each format. A piece whose hash is known need not be understood again."""

    ignored: Counter[str]
    """Fields that were there and not taken, by the sender's name, of the persons understood so far."""
    defects: list[str]
    """What is wrong with the file as a whole, in words, known once it was read to its end."""

    def pieces(self, stream: BinaryIO, member: str = "", first_no: int = 1) -> Iterator[PersonPiece]:
        """The pieces of one member, numbered from `first_no`.

        Raises `DeliveryRejectedError` where it is no such file at all.
        """

    def persons(self, pieces: Iterable[PersonPiece]) -> Iterator[IncomingPerson | RejectedRow]:
        """One person or rejected row for each piece, in their order."""


def hash_of(content: bytes, context: bytes = b"") -> bytes:
    """16 bytes; `context` is what outside the piece decides its meaning."""
    return hashlib.blake2b(content, digest_size=16, key=context).digest()


def hashing(context: bytes) -> Callable[[bytes], bytes]:
    """`hash_of` for many pieces in one context."""
    begun = hashlib.blake2b(digest_size=16, key=context)

    def hash_in_context(content: bytes) -> bytes:
        made = begun.copy()
        made.update(content)
        return made.digest()

    return hash_in_context


def rejected_piece(row: RejectedRow) -> PersonPiece:
    """The piece of a record that could not even be cut out."""
    return PersonPiece(row.position, b"", b"", row)
