"""Named cells into a person, by the columns of the register: for BUPS 1, CSV and JSON alike.

A cell is the list of its texts: one for CSV, one a repeated line for BUPS 1, one an array element for JSON. `None` in
it is an explicit null, and no list at all means that the sender does not carry the column for this person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import TypeAlias

from schemas.patrons import PATHS, PREFERRED_LISTS, Identifier, ListItem, Value
from schemas.register.patron_sources import Column, PatronSource, Target
from tasks.patrons.field_values import BadValueError, day_of, flag_of, text_of
from tasks.patrons.keys import item_key, text_key, type_key
from tasks.patrons.person_draft import PersonDraft, RowRejectedError

Cell: TypeAlias = Sequence[str | None]

_DAY_FIELDS = frozenset({"start_date", "end_date", "valid_from", "valid_to", "expiry_date"})


class RowMapping:
    """The columns of one source, ready to be used for each of its rows."""

    def __init__(self, source: PatronSource, *, last_valid_counts: bool = False) -> None:
        """`last_valid_counts`: of several texts in a cell the last valid one counts (BUPS 1)."""
        self.source = source
        self.columns = source.all_columns
        self._patterns = [re.compile(each.pattern) if each.pattern else None for each in self.columns]
        self._last_valid_counts = last_valid_counts
        self._category_field = next(
            (each.name for each in self.columns for target in each.targets if target.field == "category"), "category"
        )
        self._constants = {path: _constant(path, text, source) for path, text in source.constants.items()}

    @property
    def category_field(self) -> str:
        """What the sender calls the category."""
        return self._category_field

    def draft(self, cells: Sequence[Cell | None]) -> PersonDraft:
        """A draft from one cell a column, in the order of `columns`. Raises `RowRejectedError`."""
        draft = PersonDraft(self.source)
        draft.values.update(self._constants)
        items = _Items()
        for column, pattern, cell in zip(self.columns, self._patterns, cells, strict=True):
            if cell is None:
                if column.needed:
                    raise RowRejectedError("missing", "is not there", column.name, "send it; it is mandatory")
                continue
            self._put(draft, items, column, self._cleaned(column, pattern, cell))
        draft.lists.update(items.lists())
        return draft

    def _cleaned(self, column: Column, pattern: re.Pattern[str] | None, cell: Cell) -> list[str | None]:
        """The texts of a cell that is carried; None for each that is empty."""
        texts: list[str | None] = []
        bad: BadValueError | None = None
        for raw in cell:
            try:
                texts.extend(self._parts(column, pattern, raw))
            except BadValueError as error:
                if not self._last_valid_counts:
                    raise RowRejectedError("bad_value", str(error), column.name, "correct it") from None
                bad = error
        if self._last_valid_counts:
            valid = [each for each in texts if each is not None]
            texts = [valid[-1]] if valid else texts[-1:]
            if bad and not any(texts):
                raise RowRejectedError("bad_value", str(bad), column.name, "correct it") from None
        if column.needed and not any(texts):
            raise RowRejectedError("missing", "is empty", column.name, "send it; it is mandatory")
        return texts

    def _parts(self, column: Column, pattern: re.Pattern[str] | None, raw: str | None) -> list[str | None]:
        text = text_of(raw) if raw else ""
        if not text:
            return [None]
        parts = [text] if column.split is None else [each.strip() for each in text.split(column.split) if each.strip()]
        if pattern and not all(pattern.fullmatch(part) for part in parts):
            raise BadValueError("is not written as it was agreed")
        mapped: list[str | None] = []
        for part in parts:
            text = column.values.get(part, part)
            if self._last_valid_counts:
                self._probe(column, text)
            mapped.append(text)
        return mapped

    def _probe(self, column: Column, text: str) -> None:
        """Whether the text is valid for all that it is used for, so that an earlier one can count instead."""
        for target in column.targets:
            if PATHS.get(target.path) is None or PATHS[target.path].kind == "scalar":
                self._value(column, target, text)

    def _put(self, draft: PersonDraft, items: _Items, column: Column, texts: list[str | None]) -> None:
        for target in column.targets:
            try:
                if target.path in PATHS and PATHS[target.path].kind == "list":
                    items.put(target, [self._item_text(column, target, each) for each in texts], column.empty)
                else:
                    self._put_single(draft, column, target, texts[-1] if texts else None)
            except BadValueError as error:
                raise RowRejectedError("bad_value", str(error), column.name, "correct it") from None

    def _put_single(self, draft: PersonDraft, column: Column, target: Target, text: str | None) -> None:
        if target.path == "rekeyed_from":
            if text:
                draft.rekeyed_from.append(Identifier(target.item_type, text, text_key(text)))
        elif target.path == "affiliation":
            if text:
                draft.affiliation[target.field] = self._value(column, target, text)  # type: ignore[assignment]
        elif text is not None:
            draft.values[target.path] = self._value(column, target, text)
        elif column.empty == "null":
            draft.values[target.path] = None

    def _value(self, column: Column, target: Target, text: str) -> Value:
        if _wants_day(target):
            return day_of(text, column.dates or self.source.dates)
        if target.path in PATHS and PATHS[target.path].value_type == "flag":
            return flag_of(text)
        return text

    def _item_text(self, column: Column, target: Target, text: str | None) -> str | None:
        if text is None or target.field not in _DAY_FIELDS:
            return text
        return day_of(text, column.dates or self.source.dates).isoformat()


class _Items:
    """List items that come together from several columns: by path, type and number, then by place in the cell."""

    def __init__(self) -> None:
        self._parts: dict[Target, list[dict[str, str]]] = {}
        self._carried: dict[str, bool] = {}

    def put(self, target: Target, texts: list[str | None], empty: str) -> None:
        """The texts of one column: one an item. A path without any text is carried only if empty means null."""
        has_text = any(texts)
        if target.field not in ("type", "preferred"):
            self._carried[target.path] = self._carried.get(target.path, False) or has_text or empty == "null"
        if not has_text:
            return
        parts = self._parts.setdefault(target._replace(field=""), [])
        for place, text in enumerate(texts):
            if place == len(parts):
                parts.append({})
            if text is not None:
                parts[place][target.field] = text

    def lists(self) -> dict[str, tuple[ListItem, ...]]:
        """The lists that are carried. Of two items of one type and key the first stays."""
        found: dict[str, dict[tuple[str, str], ListItem]] = {
            path: {} for path, carried in self._carried.items() if carried
        }
        for target, parts in self._parts.items():
            for fields in parts:
                item = _item_of(target, fields)
                if item is not None and target.path in found:
                    found[target.path].setdefault((item.type, item.key), item)
        return {path: tuple(items.values()) for path, items in found.items()}


def _item_of(target: Target, fields: dict[str, str]) -> ListItem | None:
    fields = dict(fields)
    kind = type_key([target.item_type or fields.pop("type", "")])
    fields.pop("type", None)
    preferred = fields.pop("preferred", None)
    key = item_key(target.path, fields)
    if not key:
        return None
    is_preferred = target.path in PREFERRED_LISTS and preferred is not None and flag_of(preferred)
    return ListItem(kind, key, fields, is_preferred)


def _wants_day(target: Target) -> bool:
    if target.path == "affiliation":
        return target.field in ("valid_from", "valid_to")
    return target.path in PATHS and PATHS[target.path].value_type == "day"


def _constant(path: str, text: str, source: PatronSource) -> str | date | bool:
    kind = PATHS[path].value_type
    if kind == "day":
        return day_of(text, source.dates)
    return flag_of(text) if kind == "flag" else text
