"""How Alma shows the items of a person: what of them goes out, in which form, and what never does.

The composer writes by this, and the read-back compares by it: a user that Alma took as it was sent, and gives back,
must not look edited. What Alma refuses (one value in two identifiers), has no element for, or adds by itself would
look like an edit of staff otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.alma_users import AlmaUser, LeftOut, LeftOutRule, OutRules
from schemas.errors import SamkatError
from schemas.patrons import ITEM_FIELDS, LIST_PATHS, PREFERRED_LISTS, ListItem
from tasks.patrons.field_values import BadValueError, text_of
from tasks.patrons.keys import item_key, text_key, type_key

ALMA_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        path: tuple(name for name in names if path != "user_identifiers" or name not in ("valid_from", "valid_to"))
        for path, names in ITEM_FIELDS.items()
    }
)
"""Fields of an item that Alma has an element for, in its order."""
WITHOUT_TYPE: Final = frozenset({"rs_libraries", "library_notices"})
SEVERAL_TYPES: Final = frozenset(PREFERRED_LISTS)
"""An address, e-mail or phone may be of several types at once."""
FILLED_BY_ALMA: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("phones", "preferred_sms"): "false",
        ("user_identifiers", "status"): "ACTIVE",
        ("user_notes", "user_viewable"): "false",
        ("user_notes", "popup_note"): "false",
        ("user_blocks", "block_status"): "ACTIVE",
    }
)
"""(list, field): what Alma puts there where nothing was sent. It says nothing that a missing field does not."""


class NotComposableError(SamkatError):
    """No document can be made of this person. Names path and field, never a value."""


class OutgoingItem(NamedTuple):
    """An item, and how a document has it."""

    item: ListItem
    """As the person has it."""
    shown: ListItem


class HiddenItem(NamedTuple):
    """An item that a document does not hold."""

    item: ListItem
    rule: LeftOutRule
    shown: ListItem | None
    """As it would be in a document; None: nothing is left of it."""


class SplitList(NamedTuple):
    """A list of a person, as far as a document goes."""

    outgoing: tuple[OutgoingItem, ...]
    """In the order of (type, key), so that the same person makes the same bytes."""
    internal: tuple[OutgoingItem, ...]
    """The library system keeps these itself."""
    left_out: tuple[HiddenItem, ...]
    """Not in the document, and so not in the library system."""

    def reasons(self, path: str) -> list[LeftOut]:
        """What the document does not hold, and why."""
        internal = [LeftOut(path, each.item.type, "internal") for each in self.internal]
        return internal + [LeftOut(path, each.item.type, each.rule) for each in self.left_out]


def split_lists(user: AlmaUser, rules: OutRules) -> dict[str, SplitList]:
    """Each list path: what goes out, what is internal, what is left out. Raises `NotComposableError`."""
    return {path: _split(path, user, rules) for path in ITEM_FIELDS if path in LIST_PATHS}


def _split(path: str, user: AlmaUser, rules: OutRules) -> SplitList:
    items = user.lists.get(path, ())
    if not items:
        return SplitList((), (), ())
    internal, candidates, left_out = _by_segment(path, sorted(items, key=lambda each: (each.type, each.key)))
    if user.values.get("is_confidential") is True and path in PREFERRED_LISTS and path not in rules.confidential_keeps:
        left_out += [HiddenItem(each.item, "confidential", each.shown) for each in candidates]
        return SplitList((), tuple(internal), tuple(left_out))
    taken: dict[tuple[str, ...], LeftOutRule] = {_identity(path, each.shown): "twin" for each in internal}
    primary = user.values.get("primary_id")
    if path == "user_identifiers" and isinstance(primary, str):
        taken[(text_key(primary),)] = "same_as_primary_id"
    outgoing = []
    for each in candidates:
        identity = _identity(path, each.shown)
        if identity in taken:
            left_out.append(HiddenItem(each.item, taken[identity], each.shown))
        else:
            taken[identity] = "twin"
            outgoing.append(each)
    return SplitList(tuple(outgoing), tuple(internal), tuple(left_out))


def _by_segment(
    path: str, items: Iterable[ListItem]
) -> tuple[list[OutgoingItem], list[OutgoingItem], list[HiddenItem]]:
    internal, candidates, left_out = [], [], []
    for item in items:
        shown = shown_item(path, item)
        if shown is None:
            left_out.append(HiddenItem(item, "empty", None))
        elif item.segment == "internal":
            internal.append(OutgoingItem(item, shown))
        else:
            candidates.append(OutgoingItem(item, shown))
    return internal, candidates, left_out


def _identity(path: str, shown: ListItem) -> tuple[str, ...]:
    """What may stand once in a document. Alma refuses one value in two identifiers, whatever their types."""
    return (shown.key,) if path == "user_identifiers" else (shown.type, shown.key)


def shown_item(path: str, item: ListItem) -> ListItem | None:
    """`item` as a reader gets it back from Alma's XML; None where nothing of it is left there.

    Raises `NotComposableError` for a character that XML cannot carry.
    """
    fields = {}
    for name in ALMA_FIELDS[path]:
        text = item.fields.get(name)
        if text and (text := carried(text, path, name)):
            fields[name] = text
    kind = _shown_type(path, item.type, fields)
    key = item_key(path, fields)
    return ListItem(kind, key, fields, item.is_preferred, item.segment) if key else None


def _shown_type(path: str, kind: str, fields: dict[str, str]) -> str:
    if path in WITHOUT_TYPE:
        return ""
    if kind:
        carried(kind, path, "type")
    if path == "user_statistics":
        # Its type is one of its fields; a source may have given the type alone.
        if kind and "category_type" not in fields:
            fields["category_type"] = kind.strip()
        return fields.get("category_type", "")
    return type_key(kind.split(",")) if path in SEVERAL_TYPES else kind.strip()


def carried(text: str, path: str, field: str = "") -> str:
    """`text` as XML carries it, in NFC and trimmed. Raises `NotComposableError` for what XML cannot carry."""
    try:
        return text_of(text)
    except BadValueError:
        raise NotComposableError(
            "holds a control character, which XML cannot carry",
            field=f"{path}.{field}" if field else path,
            remedy="correct it where it came from",
        ) from None


def without_filled(path: str, fields: Mapping[str, str]) -> dict[str, str]:
    """`fields` without what Alma adds by itself: two items are the same to staff where this is the same."""
    return {name: text for name, text in fields.items() if FILLED_BY_ALMA.get((path, name)) != text}
