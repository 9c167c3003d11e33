"""A record held as the slices of its bytes, and the characters that keep ISO2709 slices apart.

`LazyRecord` is the record of the fast path: tags and undivided field texts, whatever they were read from. A field is
divided into subfields only when somebody asks for it. The field text is the same as in ISO2709: two indicators, then
`\\x1f`, code and value for each subfield; or the bare value of a control field.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.errors import SamkatError
from schemas.marc import Field, MarcRecord

SUBFIELD_MARK = "\x1f"
FIELD_END = "\x1e"
RECORD_END = "\x1d"
SEPARATORS = SUBFIELD_MARK + FIELD_END + RECORD_END
LEADER_LENGTH = 24


class UnreadableError(Exception):
    """A piece cannot become a record. The message is the reason, in words for the supplier."""


class UnwritableError(SamkatError):
    """A record holds what no exchange format can carry: a separator inside a value, a tag that is not 3 characters."""


class LazyRecord:
    """Keeps `schemas.marc.MarcRecord`. `tags` and `texts` run side by side and are not changed once it is made."""

    __slots__ = ("_cache", "_index", "leader", "tags", "texts")

    def __init__(self, leader: str, tags: list[str], texts: list[str]) -> None:
        self.leader = leader
        self.tags = tags
        self.texts = texts
        self._index: dict[str, list[str]] | None = None
        self._cache: dict[tuple[str, ...], Sequence[Field]] = {}

    def fields(self, *tags: str) -> Sequence[Field]:
        """See `schemas.marc.MarcRecord`. Fields are divided once and kept."""
        found = self._cache.get(tags)
        if found is None:
            found = self._cache[tags] = self._divided(tags)
        return found

    def control(self, tag: str) -> str | None:
        """See `schemas.marc.MarcRecord`. Control fields stand first, so this needs no index."""
        return self.texts[self.tags.index(tag)] if tag in self.tags else None

    @property
    def index(self) -> dict[str, list[str]]:
        """Field texts by tag, in record order."""
        index = self._index
        if index is None:
            index = self._index = {}
            for tag, text in zip(self.tags, self.texts, strict=True):
                if tag in index:
                    index[tag].append(text)
                else:
                    index[tag] = [text]
        return index

    def _divided(self, tags: tuple[str, ...]) -> Sequence[Field]:
        if not tags:
            return [field_of(tag, text) for tag, text in zip(self.tags, self.texts, strict=True)]
        index = self.index
        present = [tag for tag in tags if tag in index]
        if not present:
            return ()
        if len(present) == 1:
            return [field_of(present[0], text) for text in index[present[0]]]
        return [field_of(tag, text) for tag, text in zip(self.tags, self.texts, strict=True) if tag in present]


_new = tuple.__new__
"""Makes a named tuple in half the time; `field_of` runs ten times for each bib."""


def field_of(tag: str, text: str) -> Field:
    """Divide a field text. One without `\\x1f` is a value: of a control field, or indicators alone if short."""
    if SUBFIELD_MARK in text:
        indicators, *chunks = text.split(SUBFIELD_MARK)
        subfields = tuple([(chunk[0], chunk[1:]) for chunk in chunks if chunk])
        return _new(Field, (tag, indicators, subfields, ""))
    if tag < "010" or len(text) > 2:
        return Field(tag, "", (), text)
    return Field(tag, text)


class DividedFields:
    """The divided fields of a record by tag, each tag divided when it is first asked for."""

    __slots__ = ("_divided", "_index")

    def __init__(self, index: dict[str, list[str]]) -> None:
        self._index = index
        self._divided: dict[str, list[Field]] = {}

    def get(self, tag: str, default: Sequence[Field] = (), /) -> Sequence[Field]:
        """As `dict.get`."""
        if tag not in self._index:
            return default
        found = self._divided.get(tag)
        if found is None:
            found = self._divided[tag] = [field_of(tag, text) for text in self._index[tag]]
        return found


def text_of(field: Field) -> str:
    """The text of a field: the opposite of `field_of`. Raises `UnwritableError` where a value holds a separator."""
    if field.subfields:
        chunks = [field.indicators, *(code + value for code, value in field.subfields)]
        text = SUBFIELD_MARK.join(chunks)
        damaged = text.count(SUBFIELD_MARK) != len(field.subfields) or any(
            len(code) != 1 for code, _ in field.subfields
        )
    else:
        text = field.indicators + field.value
        damaged = SUBFIELD_MARK in text
    if damaged or FIELD_END in text or RECORD_END in text or len(field.tag) != 3:
        raise UnwritableError(
            "a separator (U+001D to U+001F) stands inside a value, or a tag or subfield code has the wrong length",
            field=field.tag,
            remedy="take the character out of the field",
        )
    return text


def lazy(record: MarcRecord) -> LazyRecord:
    """Any record as a `LazyRecord`; one that is lazy already is returned as it is."""
    if isinstance(record, LazyRecord):
        return record
    return lazy_of(record.leader, record.fields())


def lazy_of(leader: str, fields: Iterable[Field]) -> LazyRecord:
    """A `LazyRecord` from divided fields."""
    whole = list(fields)
    return LazyRecord(leader, [each.tag for each in whole], [text_of(each) for each in whole])


def first_value(text: str, code: str) -> str:
    """The first subfield `code` in a field text, stripped; empty where there is none."""
    start = text.find(SUBFIELD_MARK + code) + 2
    if start == 1:
        return ""
    end = text.find(SUBFIELD_MARK, start)
    return (text[start:] if end < 0 else text[start:end]).strip()


def all_values(text: str, code: str) -> list[str]:
    """Every subfield `code` in a field text, in order."""
    if SUBFIELD_MARK + code not in text:
        return []
    return [chunk[1:] for chunk in text.split(SUBFIELD_MARK)[1:] if chunk[:1] == code]
