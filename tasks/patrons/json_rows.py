"""Persons in JSON by the mapping of the register: FOLIO users, its import format, and JSON Lines.

A column's name is a path: `personal.lastName`, `personal.addresses[].city`, `departments[]`. An array gives one text an
element, so that the columns of one array stay together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import orjson

from schemas.errors import DeliveryRejectedError
from schemas.patrons import IncomingPerson, Position, RejectedRow
from schemas.register.patron_sources import PatronSource
from tasks.patrons.national_ids import lines_of
from tasks.patrons.person_draft import RowRejectedError
from tasks.patrons.pieces import PersonPiece, hash_of, rejected_piece
from tasks.patrons.row_mapping import Cell, RowMapping

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""A larger document is sent as JSON Lines: it would not fit into memory otherwise."""
_ABSENT = object()


class JsonReader:
    """Reads JSON of one source: one document, or one a line."""

    def __init__(self, source: PatronSource) -> None:
        self.ignored: Counter[str] = Counter()
        self.defects: list[str] = []
        self._mapping = RowMapping(source)
        self._charset = source.charset
        self._rules = source.json_rules
        self._paths = [_steps(column.name) for column in self._mapping.columns]
        self._known = {path[0].removesuffix("[]") for path in self._paths}

    def pieces(self, stream: BinaryIO, member: str = "", first_no: int = 1) -> Iterator[PersonPiece]:
        """Persons in their order. Raises `DeliveryRejectedError` for a document that cannot be read."""
        documents = self._lines(stream, member) if self._rules.lines else self._whole(stream, member)
        number = first_no
        for position, document in documents:
            if isinstance(document, RejectedRow):
                yield rejected_piece(document._replace(position=position._replace(record_no=number)))
                number += 1
                continue
            for record in self._records(document, member):
                content = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
                yield PersonPiece(position._replace(record_no=number), content, hash_of(content))
                number += 1

    def persons(self, pieces: Iterable[PersonPiece]) -> Iterator[IncomingPerson | RejectedRow]:
        """One person or rejected row for each piece."""
        for piece in pieces:
            if piece.rejected:
                yield piece.rejected
                continue
            record = orjson.loads(piece.content)
            try:
                if not isinstance(record, dict):
                    raise RowRejectedError("unreadable", "is no JSON object", remedy="send one object a person")
                self.ignored.update(record.keys() - self._known)
                draft = self._mapping.draft([_cell(record, path) for path in self._paths])
                yield draft.finished(piece.position, piece.content_hash, self._mapping.category_field)
            except RowRejectedError as error:
                yield error.row(piece.position)

    def _records(self, document: Any, member: str) -> list[Any]:
        """The persons of a document. A document that has no place for them is not one without persons."""
        path = self._rules.records
        if not path:
            return document if isinstance(document, list) else [document]
        places = list(_found(document, _steps(path.removesuffix("[]"))))
        if not places:
            raise DeliveryRejectedError(
                f"it holds no {path}", file=member or None, remedy="send it as agreed, or correct patron_sources.toml"
            )
        if not path.endswith("[]"):
            return places
        return [each for place in places if isinstance(place, list) for each in place]

    def _whole(self, stream: BinaryIO, member: str) -> Iterator[tuple[Position, Any]]:
        content = stream.read(MAX_DOCUMENT_BYTES + 1)
        if len(content) > MAX_DOCUMENT_BYTES:
            raise DeliveryRejectedError(
                f"it has more than {MAX_DOCUMENT_BYTES:,} bytes",
                file=member or None,
                remedy="send it as JSON Lines, one person a line",
            )
        try:
            yield Position(0, None, None, member), self._loaded(content)
        except RowRejectedError as error:
            raise DeliveryRejectedError(error.cause, file=member or None, remedy=error.remedy) from None

    def _lines(self, stream: BinaryIO, member: str) -> Iterator[tuple[Position, Any]]:
        for line_no, line in enumerate(lines_of(stream), start=1):
            if not line.strip():
                continue
            position = Position(0, line_no, None, member)
            try:
                yield position, self._loaded(line)
            except RowRejectedError as error:
                yield position, error.row(position)

    def _loaded(self, content: bytes) -> Any:
        try:
            text = content.decode(self._charset).removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise RowRejectedError(
                "charset", f"is not {self._charset}", remedy="send it in the agreed character set"
            ) from None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            # The message of the error itself may quote the document.
            raise RowRejectedError(
                "unreadable", f"is not JSON: line {error.lineno}, column {error.colno}", remedy="send it again, whole"
            ) from None


def _steps(path: str) -> list[str]:
    return path.split(".")


def _found(document: Any, steps: list[str]) -> Iterator[Any]:
    """Everything at a path; nothing where a step is missing."""
    if not steps:
        yield document
        return
    step, rest = steps[0], steps[1:]
    inner = document.get(step.removesuffix("[]"), _ABSENT) if isinstance(document, dict) else _ABSENT
    if inner is _ABSENT:
        return
    if not step.endswith("[]"):
        yield from _found(inner, rest)
    elif isinstance(inner, list):
        for each in inner:
            yield from _found(each, rest)


def _cell(record: dict[str, Any], steps: list[str]) -> Cell | None:
    """The texts at a path, one an element of its array; None where the record does not carry it."""
    place: Any = record
    for number, step in enumerate(steps):
        name = step.removesuffix("[]")
        if not isinstance(place, dict) or name not in place:
            return None
        place = place[name]
        if place is None:
            return [None]
        if step.endswith("[]"):
            rest = steps[number + 1 :]
            return [next((_text(found) for found in _found(each, rest)), None) for each in _list(place)] or [None]
    return [_text(place)]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise RowRejectedError("bad_value", "an array was expected", remedy="correct it")
    return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise RowRejectedError("bad_value", "a single value was expected", remedy="correct it")
