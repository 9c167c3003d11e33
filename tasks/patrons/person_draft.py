"""A person under construction: readers put in what they find, `finished` makes the person or says why there is none."""

from __future__ import annotations

from datetime import date

from schemas.patrons import (
    Affiliation,
    Identifier,
    IncomingPerson,
    ListItem,
    Position,
    ProtectionOrder,
    RejectedRow,
    RejectRule,
    Value,
)
from schemas.register.patron_sources import PatronSource
from tasks.patrons.keys import text_key


class RowRejectedError(Exception):
    """The row is quarantined. Says why without the person's data; `position` is added by the reader."""

    def __init__(self, rule: RejectRule, cause: str, field: str | None = None, remedy: str | None = None) -> None:
        super().__init__(cause)
        self.rule = rule
        self.cause = cause
        self.field = field
        self.remedy = remedy

    def row(self, position: Position) -> RejectedRow:
        """As a rejected row."""
        return RejectedRow(position, self.rule, self.cause, self.field, self.remedy)


class PersonDraft:
    """Values, lists, orders and the affiliation of one person of `source`."""

    __slots__ = ("addressed", "affiliation", "lists", "orders", "rekeyed_from", "source", "values")

    def __init__(self, source: PatronSource, addressed: Identifier | None = None) -> None:
        """`addressed`: the stable id under which an instant update asks for the person; it need not stand in it."""
        self.source = source
        self.addressed = addressed
        self.values: dict[str, Value | None] = {}
        self.lists: dict[str, tuple[ListItem, ...]] = {}
        self.orders: tuple[ProtectionOrder, ...] = ()
        self.rekeyed_from: list[Identifier] = []
        self.affiliation: dict[str, str | date | None] = {}

    def finished(self, position: Position, content_hash: bytes, category_field: str) -> IncomingPerson:
        """The person. Raises `RowRejectedError` without a stable id, or with a category that nobody mapped."""
        group = self._user_group(category_field)
        stable, others = self._ids()
        if not stable:
            raise RowRejectedError(
                "missing",
                f"no id that tells who it is: none of {', '.join(self.source.stable_ids)}",
                remedy="send the person with that id",
            )
        return IncomingPerson(
            position,
            content_hash,
            stable,
            others,
            tuple(self.rekeyed_from),
            self.values,
            self.lists,
            self.orders,
            (self._tie(group),),
        )

    def _user_group(self, category_field: str) -> str | None:
        category = self.affiliation.get("category")
        if not isinstance(category, str):
            group = self.values.get("user_group")
            return group if isinstance(group, str) else None
        categories = self.source.categories
        group = categories.get(category) if categories else category
        if group is None:
            raise RowRejectedError(
                "unknown_category",
                "no user group is agreed for this category",
                category_field,
                "send a known category, or have it added to the categories of the source",
            )
        self.values["user_group"] = group
        return group

    def _ids(self) -> tuple[tuple[Identifier, ...], tuple[Identifier, ...]]:
        """Ids that match, in the order of the register, and ids that only search."""
        found: list[Identifier] = []
        primary = self.values.get("primary_id")
        if isinstance(primary, str):
            found.append(Identifier("primary_id", primary, text_key(primary)))
        for item in self.lists.get("user_identifiers", ()):
            inactive = item.fields.get("status") == "INACTIVE"
            found.append(
                Identifier(
                    item.type,
                    item.fields["value"],
                    item.key,
                    "INACTIVE" if inactive else "ACTIVE",
                    _day(item.fields.get("valid_from")),
                    _day(item.fields.get("valid_to")),
                )
            )
        if self.addressed is not None and all(each.type != self.addressed.type for each in found):
            found.append(self.addressed)
        names = self.source.stable_ids
        stable = [each for each in found if each.type in names and each.status == "ACTIVE"]
        if len(names) > 1:
            stable.sort(key=lambda each: names.index(each.type))
        return tuple(stable), tuple(each for each in found if each not in stable)

    def _tie(self, group: str | None) -> Affiliation:
        said = self.affiliation
        until = said.get("valid_to") or self.values.get("expiry_date")
        since = said.get("valid_from")
        return Affiliation(
            self.source.institution,
            _text(said.get("library")) or self.source.library,
            _text(said.get("category")),
            group,
            _text(said.get("department")),
            since if isinstance(since, date) else None,
            until if isinstance(until, date) else None,
        )


def _text(value: str | date | None) -> str | None:
    return value if isinstance(value, str) else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
