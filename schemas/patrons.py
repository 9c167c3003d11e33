"""Contracts of the patron sync: the closed list of paths, a person as a reader yields it, and a row it had to refuse.

What belongs here is what readers, merge, lifecycle and composer agree on; no I/O, no policy. Paths have the names of
the elements of Alma's user XML where it has one (docs/patron-formats.md lists them all). Three things are kept apart
everywhere:

* *absent*: the source does not carry the path for this person; it is no key of `values` or `lists`;
* *null*: it carries the path, and says that there is nothing: `None`, or an empty tuple for a list;
* a value.

None of these types shows a person's data in its `repr`: they may stand in an exception's traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias


class Absence(Enum):
    """The one value of this type, `ABSENT`, stands for "not carried"; `None` is null."""

    ABSENT = "absent"

    def __bool__(self) -> Literal[False]:
        return False


ABSENT: Final = Absence.ABSENT

Value: TypeAlias = str | date | bool
"""What a scalar path holds: by its `PathKind.value_type` text and codes are `str`, days `date`, flags `bool`."""

ValueType: TypeAlias = Literal["text", "code", "day", "flag"]
Kind: TypeAlias = Literal["scalar", "list"]
Segment: TypeAlias = Literal["external", "internal"]


class PatronPath(NamedTuple):
    """One path of the vocabulary."""

    name: str
    kind: Kind
    value_type: ValueType
    """Of a list: `text`; its items have fields of their own (`ITEM_FIELDS`)."""
    is_personal: bool
    """Whether its values say something about a person: kept out of logs, reports and artifacts."""
    meaning: str


_PATHS: tuple[PatronPath, ...] = (
    PatronPath("primary_id", "scalar", "text", True, "Primary id; compared without regard to case"),
    PatronPath("record_type", "scalar", "code", False, "PUBLIC, STAFF, CONTACT or ORGANIZATION"),
    PatronPath("first_name", "scalar", "text", True, "Given name, legal"),
    PatronPath("middle_name", "scalar", "text", True, "Middle name, legal"),
    PatronPath("last_name", "scalar", "text", True, "Family name, legal"),
    PatronPath("pref_first_name", "scalar", "text", True, "Given name that the person goes by"),
    PatronPath("pref_middle_name", "scalar", "text", True, "Middle name that the person goes by"),
    PatronPath("pref_last_name", "scalar", "text", True, "Family name that the person goes by"),
    PatronPath("pref_name_suffix", "scalar", "text", True, "Suffix of the preferred name"),
    PatronPath("user_title", "scalar", "code", True, "Form of address"),
    PatronPath("job_category", "scalar", "code", True, "Job category"),
    PatronPath("job_description", "scalar", "text", True, "Job in words"),
    PatronPath("gender", "scalar", "code", True, "Gender"),
    PatronPath("user_group", "scalar", "code", False, "User group, after the source's mapping of categories"),
    PatronPath("campus_code", "scalar", "code", False, "Campus"),
    PatronPath("department", "scalar", "text", False, "Department at the institution; no element of Alma's"),
    PatronPath("web_site_url", "scalar", "text", True, "Web page"),
    PatronPath("cataloger_level", "scalar", "code", False, "Cataloguer level; carried through, never changed"),
    PatronPath("preferred_language", "scalar", "code", True, "Language of letters"),
    PatronPath("birth_date", "scalar", "day", True, "Birth date"),
    PatronPath("expiry_date", "scalar", "day", False, "Last valid day that the source gives"),
    PatronPath("purge_date", "scalar", "day", False, "Day from which the person may be purged"),
    PatronPath("account_type", "scalar", "code", False, "EXTERNAL, INTERNAL or INTEXTAUTH"),
    PatronPath("external_id", "scalar", "code", False, "Name of the external system (SIS) that the person comes from"),
    PatronPath("status", "scalar", "code", False, "ACTIVE or INACTIVE"),
    PatronPath("status_date", "scalar", "day", False, "Day of the last change of status"),
    PatronPath("is_researcher", "scalar", "flag", False, "Whether a researcher"),
    PatronPath("pin_number", "scalar", "text", True, "PIN for self service"),
    PatronPath("is_confidential", "scalar", "flag", True, "Protected identity; no element of Alma's"),
    PatronPath("addresses", "list", "text", True, "Postal addresses"),
    PatronPath("emails", "list", "text", True, "E-mail addresses"),
    PatronPath("phones", "list", "text", True, "Telephone numbers"),
    PatronPath("user_identifiers", "list", "text", True, "Identifiers beside the primary id: barcode, Feide id, ..."),
    PatronPath("user_notes", "list", "text", True, "Notes"),
    PatronPath("user_blocks", "list", "text", True, "Blocks"),
    PatronPath("user_statistics", "list", "text", False, "Statistical categories"),
    PatronPath("rs_libraries", "list", "text", False, "Resource-sharing libraries"),
    PatronPath("library_notices", "list", "text", False, "Kinds of notices that the person wants or does not want"),
)
PATHS: Final[Mapping[str, PatronPath]] = MappingProxyType({each.name: each for each in _PATHS})
SCALAR_PATHS: Final[frozenset[str]] = frozenset(each.name for each in _PATHS if each.kind == "scalar")
LIST_PATHS: Final[frozenset[str]] = frozenset(each.name for each in _PATHS if each.kind == "list")
PREFERRED_LISTS: Final[tuple[str, ...]] = ("addresses", "emails", "phones")
"""The lists of which exactly one item is preferred."""

ITEM_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "addresses": (
            *("line1", "line2", "line3", "line4", "line5", "city", "state_province", "postal_code", "country"),
            *("address_note", "start_date", "end_date"),
        ),
        "emails": ("email_address", "description"),
        "phones": ("phone_number", "preferred_sms"),
        "user_identifiers": ("value", "note", "status", "valid_from", "valid_to"),
        "user_notes": ("note_text", "user_viewable", "popup_note"),
        "user_blocks": ("block_description", "block_status", "block_note", "expiry_date", "item_loan_id"),
        "user_statistics": ("statistic_category", "category_type", "statistic_note"),
        "rs_libraries": ("code",),
        "library_notices": ("value",),
    }
)
"""The fields that an item of a list may have, in the order of Alma's elements. Types and flags are no fields."""

KEY_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "addresses": ("line1", "line2", "line3", "line4", "line5", "city", "state_province", "postal_code", "country"),
        "emails": ("email_address",),
        "phones": ("phone_number",),
        "user_identifiers": ("value",),
        "user_notes": ("note_text",),
        "user_blocks": ("block_description",),
        "user_statistics": ("statistic_category",),
        "rs_libraries": ("code",),
        "library_notices": ("value",),
    }
)
"""The fields that an item's `key` is made of (tasks/patrons/keys.py); the others may change without a new item."""


class Position(NamedTuple):
    """Where a person stands in what was sent; says nothing about the person."""

    record_no: int
    """From 1, over all members."""
    line: int | None = None
    """From 1, in its member; the line with which it begins."""
    byte_offset: int | None = None
    """From 0, in its member, where lines say nothing (XML, JSON)."""
    member: str = ""
    """Name inside the zip file; empty for a file that is sent alone."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id of a person in one namespace (`primary_id`, `barcode`, `feide`, ...)."""

    type: str
    value: str = field(repr=False)
    """As it came."""
    key: str = field(repr=False)
    """To compare with: NFC, casefolded, trimmed."""
    status: Literal["ACTIVE", "INACTIVE"] = "ACTIVE"
    valid_from: date | None = None
    valid_to: date | None = None
    """Last valid day."""


@dataclass(frozen=True, slots=True)
class ListItem:
    """One address, e-mail, identifier, ... A list merges by (`type`, `key`)."""

    type: str
    """Its type codes in their sorted order, joined with a comma; empty where it has none."""
    key: str = field(repr=False)
    """Normalised value of `KEY_FIELDS`."""
    fields: Mapping[str, str] = field(repr=False)
    """Of `ITEM_FIELDS`, as they came; an empty one is left out."""
    is_preferred: bool = False
    segment: Segment = "external"


@dataclass(frozen=True, slots=True)
class ProtectionOrder:
    """What a sender says in our own XML namespace: protect a path of this person, or release it again."""

    action: Literal["protect", "release"]
    path: str
    """A name of `PATHS`."""
    item_type: str | None = None
    """Of a list: only items of this type; None: the whole list."""
    reason: str = field(default="", repr=False)
    until: date | None = None
    """Last day of the protection."""


@dataclass(frozen=True, slots=True)
class Affiliation:
    """Why a person is a patron: one tie to an institution."""

    institution: str
    """Code in the register."""
    library: str | None
    """The library that the person belongs to, as the source names it (RS); None where it says nothing."""
    category: str | None
    """As the source names it."""
    user_group: str | None
    """The category after the source's mapping."""
    department: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    """Last valid day that the source gives; None: the lease or the term calendar decides."""


@dataclass(frozen=True, slots=True)
class IncomingPerson:
    """One person as one source tells it now. Every reader yields these."""

    position: Position
    content_hash: bytes
    """16 bytes, of the record as it stood in the file: the same bytes and the same policy mean the same person."""
    source_ids: tuple[Identifier, ...] = field(repr=False)
    """Of the namespaces that the source's register entry declares stable, in its order: these match. Never empty."""
    search_ids: tuple[Identifier, ...] = field(default=(), repr=False)
    """The others: these only search."""
    rekeyed_from: tuple[Identifier, ...] = field(default=(), repr=False)
    """Old ids that the source says were this person's until now (BUPS 1: GL)."""
    values: Mapping[str, Value | None] = field(default_factory=dict, repr=False)
    """By scalar path. No key: absent; None: null."""
    lists: Mapping[str, tuple[ListItem, ...]] = field(default_factory=dict, repr=False)
    """By list path. No key: absent; empty: the source says that there are none."""
    orders: tuple[ProtectionOrder, ...] = ()
    affiliations: tuple[Affiliation, ...] = ()

    def value(self, path: str) -> Value | Absence | None:
        """The value of a scalar path, None for null, `ABSENT` where it is not carried."""
        return self.values.get(path, ABSENT)

    def items(self, path: str) -> tuple[ListItem, ...] | Absence:
        """The items of a list path, `ABSENT` where it is not carried."""
        return self.lists.get(path, ABSENT)

    @property
    def is_confidential(self) -> bool | Absence:
        """Whether the source says that the identity is protected; null counts as no."""
        value = self.values.get("is_confidential", ABSENT)
        return value if value is ABSENT else bool(value)


RejectRule: TypeAlias = Literal[
    "unreadable",  # no record can be made of these bytes: broken XML, wrong number of columns, not JSON
    "charset",  # bytes that are none of the declared character set
    "missing",  # a mandatory value is not there
    "bad_value",  # a value that cannot be what its path wants: a date, a flag, a number
    "unknown_category",  # no user group for it in the register
    "too_large",  # longer than a person can be
    "repeated",  # the same stable id stands twice in one file
]
QuarantineRule: TypeAlias = Literal[
    "several_by_source_id", "several_by_search", "other_has_source_id", "taken", "resting", "erased",
    "both_are_taken", "several_had_the_old",
]  # fmt: skip
"""Why it cannot be said whom a row is about (tasks/patrons/identity.py, survivors.py)."""


class RejectedRow(NamedTuple):
    """A row that is quarantined; its neighbours go on. Never holds the person's data, not even the wrong value."""

    position: Position
    rule: RejectRule | QuarantineRule
    cause: str
    """In words for the institution."""
    field: str | None = None
    """As the sender calls it: code, element, column."""
    remedy: str | None = None
