"""The stored form of a record: UTF-8 ISO2709 with leader/09 `a`, or MARCXML where it is too long for that.

`encode` and `decode` are opposites for every record whose values hold no separators. What is stored can be read by
pymarc, yaz and any other MARC tool as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from xml.sax.saxutils import escape, quoteattr

from schemas.errors import SamkatError
from schemas.marc import MarcRecord
from tasks.marc.iso2709 import directory_of, slice_regular
from tasks.marc.marcxml_record import record_from_xml
from tasks.marc.records import FIELD_END, RECORD_END, LazyRecord, UnreadableError, UnwritableError, lazy

MAX_RECORD_BYTES = 99_999
MAX_FIELD_BYTES = 9_999
MARCXML_NAMESPACE = "http://www.loc.gov/MARC21/slim"


def encode(record: MarcRecord) -> bytes:
    """The record in its stored form. Raises `UnwritableError` (field, cause) where a value holds a separator."""
    return assemble(lazy(record))


def decode(content: bytes) -> MarcRecord:
    """A record from its stored form, lazily. Raises `SamkatError` where the bytes are not what `encode` writes.

    Bytes as a supplier sent them are for `tasks.marc.reading`.
    """
    if content[:1] == b"<":
        try:
            return record_from_xml(content.decode("utf-8")).record
        except (UnreadableError, UnicodeDecodeError) as error:
            raise SamkatError(f"a stored record cannot be read: {error}") from error
    slices = slice_regular(content)
    if slices is None:
        raise SamkatError(
            f"a stored record cannot be read: {content[:24]!r} begins no regular ISO2709",
            remedy="read bytes from a delivery with tasks.marc.reading.reread_piece",
        )
    return LazyRecord(slices.leader, slices.tags, slices.body.decode("utf-8").split(FIELD_END))


def stored_texts(content: bytes, tags: Collection[str]) -> tuple[str, dict[str, list[str]]]:
    """Leader of a stored record, and the undivided texts of its fields with one of `tags`, by tag in record order.

    Half the cost of `decode` and of an index, for who looks at a few fields of many records: the entries of the
    directory are counted, but not held against the fields, as `encode` or the reading did that. Raises as `decode`.
    """
    is_whole = content[:5] == b"%05d" % len(content)
    head, *texts = content[:-2].decode("utf-8").split(FIELD_END) if is_whole else [""]
    if len(head) != 24 + 12 * len(texts):  # MARCXML, or damaged
        record = lazy(decode(content))
        return record.leader, {tag: record.index[tag] for tag in tags if tag in record.index}
    found: dict[str, list[str]] = {}
    for place, text in zip(range(24, len(head), 12), texts, strict=True):
        tag = head[place : place + 3]
        if tag in tags:
            if tag in found:
                found[tag].append(text)
            else:
                found[tag] = [text]
    return head[:24], found


def assemble(record: LazyRecord) -> bytes:
    """As `encode`, without dividing fields. The leader gets the right lengths, `a` at 09, `22` at 10 and `4500`."""
    tags = record.tags
    body = FIELD_END.join(record.texts)
    content = body.encode("utf-8")
    lengths = [len(field) + 1 for field in content.split(b"\x1e")]
    if not tags:
        raise UnwritableError("a record without fields cannot be written")
    base = 25 + 12 * len(tags)
    size = base + len(content) + 2
    if size > MAX_RECORD_BYTES or max(lengths) > MAX_FIELD_BYTES:
        return to_xml(record).encode("utf-8")
    if len(lengths) != len(tags) or RECORD_END in body:
        raise UnwritableError("a value holds a separator (U+001D or U+001E)", remedy="take the character out")
    directory = directory_of(tags, lengths)
    if len(directory) != base - 25:
        raise UnwritableError("a tag has not 3 characters", remedy="give it a tag of 3 letters or digits")
    leader = record.leader
    head = f"{size:05d}{leader[5:9]:4}a22{base:05d}{leader[17:20]:3}4500{directory}\x1e"
    return b"%s%s\x1e\x1d" % (head.encode("ascii"), content)


def to_xml(record: MarcRecord) -> str:
    """The record as one MARCXML `record` element, without an XML declaration."""
    own = lazy(record)
    leader = own.leader
    lines = [
        f'<record xmlns="{MARCXML_NAMESPACE}">',
        f"<leader>{escape(f'00000{leader[5:9]:4}a22{0:05d}{leader[17:20]:3}4500')}</leader>",
    ]
    for field in own.fields():
        tag = quoteattr(field.tag)
        if not field.subfields and not field.indicators:
            lines.append(f"<controlfield tag={tag}>{_escaped(field.value)}</controlfield>")
            continue
        pair = f"{field.indicators:<2}"
        subfields = "".join(
            f"<subfield code={quoteattr(code)}>{_escaped(value)}</subfield>" for code, value in field.subfields
        )
        attributes = f"tag={tag} ind1={quoteattr(pair[0])} ind2={quoteattr(pair[1])}"
        lines.append(f"<datafield {attributes}>{subfields}</datafield>")
    return "".join([*lines, "</record>"])


def _escaped(value: str) -> str:
    # A carriage return that is not written as a reference comes back as a line feed.
    return escape(value, {"\r": "&#13;"})
