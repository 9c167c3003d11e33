"""What a person types at the desk as a value of ours: texts, days, flags, items of lists. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import orjson

from schemas.errors import UsageError
from schemas.patrons import ITEM_FIELDS, KEY_FIELDS, PATHS, ListItem, Value
from tasks.patrons.field_values import BadValueError, day_of, flag_of, text_of
from tasks.patrons.keys import item_key


def known_path(path: str) -> str:
    """`path`, where it is one of a person. Raises `UsageError`."""
    if path not in PATHS:
        raise UsageError(f"{path} is no path of a person", remedy="docs/patron-formats.md lists them")
    return path


def value_of(path: str, text: str) -> Value:
    """`text` as the value of a scalar path: a day is YYYY-MM-DD, a flag yes or no. Raises `UsageError`."""
    kind = PATHS[known_path(path)].value_type
    try:
        clean = text_of(text)
        if not clean:
            raise BadValueError("is empty; --null says that there is nothing")
        value: str | date | bool = day_of(clean) if kind == "day" else flag_of(clean) if kind == "flag" else clean
    except BadValueError as error:
        raise UsageError(
            f"the value of {path} {error}", field="--value", remedy="give it as the path wants it"
        ) from None
    return value


def with_item(path: str, items: Sequence[ListItem], item_type: str, text: str | None) -> tuple[ListItem, ...]:
    """The items of a list after an item of a type was entered in place of those that there are of it.

    `text` is the item's value, or its fields as a JSON object. None takes the items of the type away; with an empty
    type all of them. Raises `UsageError`.
    """
    if text is None:
        return tuple(each for each in items if item_type and each.type != item_type)
    fields = _fields(path, text)
    gone = [each for each in items if each.type == item_type]
    is_preferred = any(each.is_preferred for each in gone)
    new = ListItem(item_type, item_key(path, fields), fields, is_preferred)
    if not new.key:
        raise UsageError(f"an item of {path} needs one of {', '.join(KEY_FIELDS[path])}", field="--value")
    return (*(each for each in items if each.type != item_type), new)


def _fields(path: str, text: str) -> dict[str, str]:
    keys = KEY_FIELDS[path]
    try:
        clean = text_of(text)
        given = orjson.loads(clean) if clean.startswith("{") else None
    except (BadValueError, orjson.JSONDecodeError):
        raise UsageError(
            f"the value of an item of {path} cannot be read", field="--value", remedy="give a text, or a JSON object"
        ) from None
    if given is None:
        if len(keys) > 1:
            example = '{"line1": "...", "postal_code": "...", "city": "..."}'
            raise UsageError(
                f"an item of {path} has several fields", field="--value", remedy=f"give them as JSON: {example}"
            )
        return {keys[0]: clean}
    wrong = [name for name, each in given.items() if name not in ITEM_FIELDS[path] or not isinstance(each, str)]
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)}: no text field of {path}",
            field="--value",
            remedy=f"it has {', '.join(ITEM_FIELDS[path])}",
        )
    return {name: given[name] for name in ITEM_FIELDS[path] if given.get(name)}
