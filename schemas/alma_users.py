"""Contracts between Samkat and a library system that speaks Alma's user XML: what goes out, and what was read back.

What belongs here is what the composer, the read-back, the patron sync and the account rules agree on; no I/O. None of
these types shows a person's data in its `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal, NamedTuple, TypeAlias

from schemas.patrons import PREFERRED_LISTS, Identifier, ListItem, Position, RejectedRow, Value

NOT_IN_ALMA: Final[frozenset[str]] = frozenset({"department", "is_confidential"})
"""Paths that Alma's user XML has no element for: they never go out, and no export says anything about them."""


class RoleParameter(NamedTuple):
    """One parameter of a staff role."""

    type: str
    scope: str
    value: str


@dataclass(frozen=True, slots=True)
class StaffRole:
    """A role of a user, as the account rules give it. Patron sync never imports and never sends one."""

    role_type: str
    """Code of Alma's table of roles: 200 is Patron."""
    scope: str
    """Institution or library for which it holds."""
    status: Literal["ACTIVE", "INACTIVE"] = "ACTIVE"
    expiry_date: date | None = None
    parameters: tuple[RoleParameter, ...] = ()


@dataclass(frozen=True, slots=True)
class AlmaUser:
    """A complete document of a person: what is not in it is not there once the library system has taken it."""

    values: Mapping[str, Value | None] = field(repr=False)
    """By scalar path. Null and no key both end in nothing."""
    lists: Mapping[str, Sequence[ListItem]] = field(default_factory=dict, repr=False)
    """By list path; no key: empty."""
    roles: tuple[StaffRole, ...] | None = field(default=None, repr=False)
    """None: the account rules do not own them, so the document says nothing about them."""


@dataclass(frozen=True, slots=True)
class OutRules:
    """What a library system is told, and what it tells."""

    confidential_keeps: frozenset[str] = frozenset(PREFERRED_LISTS)
    """Of addresses, emails and phones, what goes out for a person whose identity is protected."""
    not_exported: frozenset[str] = frozenset()
    """Paths that go out, and that its exports never carry: about these a read-back says nothing."""
    record_type: str = "PUBLIC"
    """For a person who has none."""


LeftOutRule: TypeAlias = Literal[
    "internal",  # the library system's own segment: it keeps it, and a document must not repeat it
    "same_as_primary_id",  # Alma refuses a user with one value in two identifiers
    "twin",  # the same value in another identifier, of another type
    "confidential",  # protected identity, and the rules do not let it out
    "empty",  # nothing is left of it in Alma's elements
]


class LeftOut(NamedTuple):
    """An item that a document does not hold, though the person has it. Says nothing about the person."""

    path: str
    item_type: str
    rule: LeftOutRule


@dataclass(frozen=True, slots=True)
class ComposedUser:
    """One `user` element."""

    content: bytes = field(repr=False)
    """UTF-8, without XML declaration; ends with a line feed."""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class CurrentPerson:
    """One user as the library system holds it now: the C of the merge, before what it cannot show is filled in.

    A scalar path that is empty there is no key of `values`: exports differ in whether they write an empty element.
    Each list path that it can show is a key of `lists`, an empty one too.
    """

    position: Position
    content_hash: bytes
    """16 bytes, of the record as it stood: the same bytes mean the same user."""
    primary_id: Identifier = field(repr=False)
    identifiers: tuple[Identifier, ...] = field(default=(), repr=False)
    """Beside the primary id."""
    values: Mapping[str, Value | None] = field(default_factory=dict, repr=False)
    lists: Mapping[str, tuple[ListItem, ...]] = field(default_factory=dict, repr=False)
    """Items of internal segments are among them (`ListItem.segment`)."""

    @property
    def is_external(self) -> bool:
        """Whether it is an external account: a synchronise job touches no other."""
        return self.values.get("account_type", "EXTERNAL") == "EXTERNAL"


class UnreadUser(NamedTuple):
    """A user that the export holds and that cannot be read: it is there, and nothing else is known of it."""

    row: RejectedRow
    primary_key: str | None
    """Key of its primary id, to find the person by; None: not even that can be read, so nobody counts as gone."""

    def __repr__(self) -> str:
        """Without the id: it may stand in a traceback."""
        return f"UnreadUser({self.row!r})"


class SeenUser(NamedTuple):
    """A user whose record is, byte for byte, one that the last read-back held: nobody has edited it since."""

    position: Position
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class CurrentState:
    """C of one person as the merge wants it: compare it with W path by path."""

    values: Mapping[str, Value | None] = field(repr=False)
    """No key: empty there, or never written."""
    lists: Mapping[str, tuple[ListItem, ...]] = field(repr=False)
    """Each list path."""
