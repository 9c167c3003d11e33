"""What a staged delivery is expected to be like: declared once, as data.

The fast gate (tasks/quality/gate.py) and Great Expectations (tasks/quality/data_docs.py) both read this declaration,
docs/quality.md is held against it by a test, and the limits are a supplier's own (`QualityLimits` in the register).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

HISTORY_LENGTH = 20
"""Settled deliveries of the supplier that the size is compared with."""
HISTORY_AT_LEAST = 5
"""Fewer than this say nothing yet about what is usual: the size is not judged."""


class RowSet(StrEnum):
    """What one row of the judged rows is."""

    PIECES = "pieces"
    BIBS = "bibs"
    ISBNS = "isbns"
    HOLDINGS = "holdings"
    DELIVERY = "delivery"

    @property
    def words(self) -> str:
        """The rows, as a person calls them."""
        return {"isbns": "ISBNs"}.get(self.value, self.value)


ROW_SET_COLUMNS: dict[RowSet, dict[str, str]] = {
    RowSet.PIECES: {"record_type": "bib, holding or unreadable"},
    RowSet.BIBS: {
        "title": "`present`, or null where there is no title",
        "isbn": "`present`, or null where there is no 020 $a that looks like an ISBN",
        "encoding_level": "leader/17 after normalisation; a blank is a space",
    },
    RowSet.ISBNS: {"status": "Of a 020 $a: valid, invalid or set (a valid number of a whole set)"},
    RowSet.HOLDINGS: {"sigel": "First 852 $b; empty where there is none"},
    RowSet.DELIVERY: {"size_factor": "Records, against the median of the supplier's last settled deliveries"},
}
"""The judged columns of each row set. No column holds anything about a person."""

ValueSet = Literal["sigels", "levels"]
"""Allowed values that the register knows: sigels of its libraries, levels of the supplier's table."""


@dataclass(frozen=True)
class Expectation:
    """One expectation.

    `rule`: `present` (a share of the rows has a value), `in_set` (a share of the rows has one of the allowed values),
    `at_most` (the one value is at most the limit). `limit` names the field of `QualityLimits`. `breach` is the hold
    reason in words; it may use `share` (of rows that fail), `rows`, `limit` (the share that may fail) and `supplier`,
    for `at_most` also `records`, `factor` and `median`. `failing` says of a number of rows what is wrong with them.
    """

    key: str
    title: str
    about: str
    row_set: RowSet
    column: str
    rule: Literal["present", "in_set", "at_most"]
    limit: str
    breach: str
    failing: str
    allowed: tuple[str, ...] | ValueSet = ()

    @property
    def kind(self) -> Literal["share", "factor"]:
        """`share` of rows that satisfy the rule, or `factor` against the supplier's history."""
        return "factor" if self.rule == "at_most" else "share"

    @property
    def change_class(self) -> str:
        """The class of the plan under which a breach is held."""
        return f"quality:{self.key}"


EXPECTATIONS: tuple[Expectation, ...] = (
    Expectation(
        key="readable",
        title="Pieces can be read",
        about="Every piece between two record terminators should be a record. Unreadable ones are kept with their"
        " place and the reason.",
        row_set=RowSet.PIECES,
        column="record_type",
        rule="in_set",
        allowed=("bib", "holding"),
        limit="min_readable_share",
        failing="unreadable",
        breach="{share} of {rows} pieces cannot be read; the limit for {supplier} is {limit}",
    ),
    Expectation(
        key="title",
        title="Bibs have a title",
        about="A bib without 245 $a is rejected together with its holdings.",
        row_set=RowSet.BIBS,
        column="title",
        rule="present",
        limit="min_title_share",
        failing="without a title",
        breach="{share} of {rows} bibs have no title (245 $a); the limit for {supplier} is {limit}",
    ),
    Expectation(
        key="isbn",
        title="Bibs have an ISBN",
        about="A bib with an ISBN-like number in 020 $a, right or wrong. Bibs without one can hardly be matched.",
        row_set=RowSet.BIBS,
        column="isbn",
        rule="present",
        limit="min_isbn_share",
        failing="without an ISBN",
        breach="{share} of {rows} bibs have no ISBN (020 $a); the limit for {supplier} is {limit}",
    ),
    Expectation(
        key="isbn_valid",
        title="ISBNs are valid",
        about="020 $a with the right length and check digit. A wrong number is never repaired.",
        row_set=RowSet.ISBNS,
        column="status",
        rule="in_set",
        allowed=("valid", "set"),
        limit="min_valid_isbn_share",
        failing="invalid",
        breach="{share} of {rows} ISBNs have a wrong check digit or length; the limit for {supplier} is {limit}",
    ),
    Expectation(
        key="sigel",
        title="Libraries are known",
        about="Holdings whose sigel (852 $b) is in the register. Those of an unknown library are refused.",
        row_set=RowSet.HOLDINGS,
        column="sigel",
        rule="in_set",
        allowed="sigels",
        limit="min_known_sigel_share",
        failing="of an unknown library",
        breach="{share} of {rows} holdings name a library that is not in the register; the limit for {supplier} is"
        " {limit}",
    ),
    Expectation(
        key="level",
        title="Encoding levels are known",
        about="Bibs whose encoding level (leader/17) is in the supplier's level table. An unknown level is read as a"
        " low one.",
        row_set=RowSet.BIBS,
        column="encoding_level",
        rule="in_set",
        allowed="levels",
        limit="min_known_level_share",
        failing="with an unknown level",
        breach="{share} of {rows} bibs have an encoding level that is not in the table; the limit for {supplier} is"
        " {limit}",
    ),
    Expectation(
        key="size",
        title="The size is as usual",
        about=f"Records of the delivery, against the median of the supplier's last {HISTORY_LENGTH} settled deliveries"
        f" before it. Not judged before there are {HISTORY_AT_LEAST}.",
        row_set=RowSet.DELIVERY,
        column="size_factor",
        rule="at_most",
        limit="max_size_factor",
        failing="size not as usual",
        breach="{records} records are {factor} times the usual {median}; the limit for {supplier} is {limit} times",
    ),
)

EXPECTATION_BY_KEY: dict[str, Expectation] = {each.key: each for each in EXPECTATIONS}
