"""BUPS 3: the body of an instant update, JSON or Alma's user XML, into the same person that every reader yields.

JSON has the paths of docs/patron-formats.md as its keys, an object an item of a list. Absent, null and value stay
apart: no key says nothing, null says that there is nothing. What is refused is never quoted: a person may stand in it.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias, cast

import orjson

from schemas.errors import DeliveryRejectedError
from schemas.patrons import (
    ITEM_FIELDS,
    PATHS,
    PREFERRED_LISTS,
    Identifier,
    IncomingPerson,
    ListItem,
    Position,
    ProtectionOrder,
    RejectedRow,
    Segment,
    Value,
)
from schemas.register.patron_sources import PatronSource
from tasks.patrons.alma_xml import AlmaXmlReader
from tasks.patrons.field_values import BadValueError, day_of, flag_of, text_of
from tasks.patrons.keys import item_key, text_key, type_key
from tasks.patrons.person_draft import PersonDraft, RowRejectedError
from tasks.patrons.pieces import hash_of

Method: TypeAlias = Literal["PUT", "PATCH", "DELETE"]
Form: TypeAlias = Literal["json", "xml"]

AFFILIATION_KEYS: Final = ("library", "valid_from", "valid_to")
OWN_KEYS: Final = ("old_ids", "protection")
JSON_KEYS: Final[frozenset[str]] = frozenset((*PATHS, *AFFILIATION_KEYS, *OWN_KEYS))
NEEDED: Final = ("last_name", "user_group")
"""What a whole person cannot be without, beside the id."""
_ITEM_DAYS: Final = frozenset({"start_date", "end_date", "valid_from", "valid_to"})
_POSITION: Final = Position(1)


def addressed_id(source: PatronSource, id_type: str | None, value: str) -> Identifier:
    """The stable id under which a person is asked for; without a type the first one of the source.

    Raises `RowRejectedError` for a type by which the source's persons are not known, and for an empty id.
    """
    kind = id_type or source.stable_ids[0]
    if kind not in source.stable_ids:
        raise RowRejectedError(
            "bad_value",
            "is no id by which the persons of this source are known",
            "id_type",
            f"known are {', '.join(source.stable_ids)}",
        )
    try:
        text = text_of(value)
    except BadValueError as error:
        raise RowRejectedError("bad_value", str(error), "id", "correct it") from None
    if not text:
        raise RowRejectedError("missing", "is empty", "id", "name the person")
    return Identifier(kind, text, text_key(text))


def read_body(body: bytes, form: Form, method: Method, source: PatronSource, addressed: Identifier) -> IncomingPerson:
    """The person of an instant update. Raises `RowRejectedError`; its words never hold what was sent.

    A PUT is a whole person and needs `NEEDED`; a PATCH carries what is to change. In XML an empty element is null,
    whatever the source's files mean by one.
    """
    person = _from_json(body, source, addressed) if form == "json" else _from_xml(body, source, addressed)
    for each in (*person.source_ids, *person.search_ids):
        if each.type == addressed.type and each.key != addressed.key and each.status == "ACTIVE":
            raise RowRejectedError(
                "bad_value", "is another one than that of the address", addressed.type, "send both alike"
            )
    _refuse_half(person, method)
    return person


def _refuse_half(person: IncomingPerson, method: Method) -> None:
    for path in NEEDED if method == "PUT" else ():
        if not person.values.get(path):
            raise RowRejectedError("missing", "is not there", path, "a whole person needs it; or send a PATCH")


def only_ids(source: PatronSource, addressed: Identifier) -> IncomingPerson:
    """A person of whom nothing is said but the id: a DELETE."""
    content = orjson.dumps([source.code, addressed.type, addressed.key])
    return IncomingPerson(_POSITION, hash_of(content, b"delete"), (addressed,))


def read_persons_of_file(
    content: bytes, form: Form, method: Method, source: PatronSource
) -> list[IncomingPerson | RejectedRow]:
    """The persons of a file: a JSON object, an array, JSON Lines, or a document of users.

    Raises `RowRejectedError`, or `DeliveryRejectedError`, where it is no such file.
    """
    persons: list[IncomingPerson | RejectedRow] = []
    for each in _in_file(content, form, source):
        try:
            if isinstance(each, IncomingPerson):
                _refuse_half(each, method)
            persons.append(each)
        except RowRejectedError as error:
            persons.append(error.row(each.position))
    return persons


def _in_file(content: bytes, form: Form, source: PatronSource) -> Iterator[IncomingPerson | RejectedRow]:
    if form == "xml":
        reader = AlmaXmlReader(_of_api(source))
        found = list(reader.persons(reader.pieces(io.BytesIO(content))))
        if reader.defects:
            raise DeliveryRejectedError(reader.defects[0], remedy="send it again, whole")
        yield from found
        return
    for number, document in enumerate(_documents(content), start=1):
        position = Position(number)
        try:
            yield _person_of(document, source, None, position)
        except RowRejectedError as error:
            yield error.row(position)


def _documents(content: bytes) -> list[Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            return [orjson.loads(line) for line in content.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            raise _no_json(error) from None
    return found if isinstance(found, list) else [found]


def _no_json(error: orjson.JSONDecodeError) -> RowRejectedError:
    # The message of the error itself may quote the document.
    return RowRejectedError(
        "unreadable", f"is not JSON: line {error.lineno}, column {error.colno}", remedy="send one JSON object in UTF-8"
    )


def _from_json(body: bytes, source: PatronSource, addressed: Identifier) -> IncomingPerson:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _no_json(error) from None
    return _person_of(document, source, addressed, _POSITION)


def _of_api(source: PatronSource) -> PatronSource:
    """The source as its instant updates are read; character set and empty elements of its files are no matter."""
    return source.model_copy(update={"charset": "utf-8", "empty_elements": "null"})


def _from_xml(body: bytes, source: PatronSource, addressed: Identifier) -> IncomingPerson:
    reader = AlmaXmlReader(_of_api(source), addressed)
    try:
        found = list(reader.persons(reader.pieces(io.BytesIO(body))))
    except DeliveryRejectedError as error:
        raise RowRejectedError("unreadable", error.cause, remedy=error.remedy) from None
    if reader.defects:
        raise RowRejectedError("unreadable", reader.defects[0], remedy="send one user in UTF-8")
    if len(found) != 1:
        raise RowRejectedError("unreadable", f"holds {len(found)} persons", remedy="send one user a request")
    (person,) = found
    if isinstance(person, RejectedRow):
        raise RowRejectedError(cast(Any, person.rule), person.cause, person.field, person.remedy)
    return person


def _person_of(document: Any, source: PatronSource, addressed: Identifier | None, position: Position) -> IncomingPerson:
    if not isinstance(document, dict):
        raise RowRejectedError("unreadable", "is no JSON object", remedy="send one object a person")
    _refuse_unknown(document.keys(), JSON_KEYS, None)
    draft = PersonDraft(source, addressed)
    draft.values.update({path: _scalar(path, text, path) for path, text in source.constants.items()})
    for key, value in document.items():
        if key in PATHS:
            if PATHS[key].kind == "list":
                draft.lists[key] = _items(key, value)
            else:
                draft.values[key] = None if value in (None, "") else _scalar(key, value, key)
        elif key in AFFILIATION_KEYS:
            draft.affiliation[key] = _of_affiliation(key, value)
    draft.rekeyed_from.extend(_old_ids(document.get("old_ids")))
    draft.orders = _orders(document.get("protection"))
    group = draft.values.get("user_group")
    if isinstance(group, str):
        draft.affiliation["category"] = group
    if isinstance(department := draft.values.get("department"), str):
        draft.affiliation["department"] = department
    content = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return draft.finished(position, hash_of(content, b"json"), "user_group")


def _refuse_unknown(keys: Collection[str], known: Collection[str], inside: str | None) -> None:
    """Raises `RowRejectedError` for a key that nobody knows. It is not shown: it may be somebody's name."""
    for number, key in enumerate(keys, start=1):
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.75)
            hint = f"did you mean {near[0]}? " if near else ""
            raise RowRejectedError(
                "bad_value", f"key no. {number} is unknown", inside, f"{hint}docs/intake.md lists what there is"
            )


def _scalar(path: str, value: Any, field: str) -> Value:
    kind = PATHS[path].value_type
    try:
        if kind == "flag":
            return value if isinstance(value, bool) else flag_of(_text(value, field))
        text = text_of(_text(value, field))
        return day_of(text) if kind == "day" else text
    except BadValueError as error:
        raise RowRejectedError("bad_value", str(error), field, "correct it") from None


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise RowRejectedError("bad_value", "is no text", field, "send a text")
    return value


def _of_affiliation(key: str, value: Any) -> Any:
    if value in (None, ""):
        return None
    try:
        text = text_of(_text(value, key))
        return text if key == "library" else day_of(text)
    except BadValueError as error:
        raise RowRejectedError("bad_value", str(error), key, "correct it") from None


def _objects(value: Any, field: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise RowRejectedError("bad_value", "is no array of objects", field, "send an array, or null")
    return value


def _items(path: str, value: Any) -> tuple[ListItem, ...]:
    """The items of a list; of two of one type and key the first stays."""
    found: dict[tuple[str, str], ListItem] = {}
    for each in _objects(value, path):
        item = _item(path, each)
        found.setdefault((item.type, item.key), item)
    return tuple(found.values())


def _item(path: str, found: Mapping[str, Any]) -> ListItem:
    _refuse_unknown(found.keys(), (*ITEM_FIELDS[path], "type", "types", "preferred", "segment_type"), path)
    fields = {name: text for name in ITEM_FIELDS[path] if (text := _item_text(path, name, found.get(name)))}
    key = item_key(path, fields)
    if not key:
        raise RowRejectedError("missing", "an item has no value", path, f"send {', '.join(ITEM_FIELDS[path][:1])}")
    kinds = found.get("types") or ([found["type"]] if found.get("type") else [])
    if not isinstance(kinds, list) or not all(isinstance(each, str) for each in kinds):
        raise RowRejectedError("bad_value", "its types are no texts", path, "send `type`, or `types` as an array")
    is_internal = str(found.get("segment_type") or "").casefold() == "internal"
    segment: Segment = "internal" if is_internal else "external"
    preferred = found.get("preferred") or False
    if not isinstance(preferred, bool):
        raise RowRejectedError("bad_value", "preferred is neither true nor false", path, "correct it")
    return ListItem(type_key(kinds), key, fields, preferred and path in PREFERRED_LISTS, segment)


def _item_text(path: str, name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    field = f"{path}.{name}"
    try:
        text = text_of(_text(value, field))
        return day_of(text).isoformat() if text and name in _ITEM_DAYS else text
    except BadValueError as error:
        raise RowRejectedError("bad_value", str(error), field, "correct it") from None


def _old_ids(value: Any) -> list[Identifier]:
    found = []
    for each in _objects(value, "old_ids"):
        _refuse_unknown(each.keys(), ("type", "value"), "old_ids")
        text = _item_text("old_ids", "value", each.get("value"))
        if not text:
            raise RowRejectedError("missing", "an old id has no value", "old_ids", "send `type` and `value`")
        found.append(Identifier(_text(each.get("type", "primary_id"), "old_ids"), text, text_key(text)))
    return found


def _orders(value: Any) -> tuple[ProtectionOrder, ...]:
    return tuple(_order(each) for each in _objects(value, "protection"))


def _order(found: Mapping[str, Any]) -> ProtectionOrder:
    _refuse_unknown(found.keys(), ("action", "path", "type", "reason", "until"), "protection")
    action, path, kind = found.get("action"), found.get("path"), found.get("type")
    if action not in ("protect", "release"):
        raise RowRejectedError("bad_value", "action is neither protect nor release", "protection", "correct it")
    if not isinstance(path, str) or path not in PATHS:
        raise RowRejectedError("bad_value", "names a path that there is not", "protection", "see docs/intake.md")
    if kind is not None and (not isinstance(kind, str) or PATHS[path].kind != "list"):
        raise RowRejectedError("bad_value", "names a type for a path that is no list", "protection", "leave it out")
    until = _of_affiliation("until", found.get("until"))
    reason = _item_text("protection", "reason", found.get("reason"))
    return ProtectionOrder(action, path, kind, reason, until)
