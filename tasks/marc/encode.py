"""The stored form of a record: UTF-8 ISO2709 with leader/09 `a`, or MARCXML where it is too long for that.

`encode` and `decode` are opposites for every record whose values hold no separators. What is stored can be read by
pymarc, yaz and any other MARC tool as it is.
"""

from __future__ import annotations

from functools import cache
from xml.sax.saxutils import escape, quoteattr

from schemas.errors import SamkatError
from schemas.marc import MarcRecord
from tasks.marc.iso2709 import slice_regular
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


def assemble(record: LazyRecord) -> bytes:
    """As `encode`, without dividing fields. The leader gets the right lengths, `a` at 09, `22` at 10 and `4500`."""
    texts, tags = record.texts, record.tags
    body = FIELD_END.join(texts)
    content = body.encode("utf-8")
    if len(content) == len(body):
        lengths = [len(text) + 1 for text in texts]
    else:
        lengths = [len(text) + 1 for text in content.split(b"\x1e")]
    if not tags:
        raise UnwritableError("a record without fields cannot be written")
    base = 25 + 12 * len(tags)
    size = base + len(content) + 2
    if size > MAX_RECORD_BYTES or max(lengths) > MAX_FIELD_BYTES:
        return to_xml(record).encode("utf-8")
    if len(lengths) != len(tags) or RECORD_END in body:
        raise UnwritableError("a value holds a separator (U+001D or U+001E)", remedy="take the character out")
    lengths_written, starts_written = _numbers()
    start = 0
    entries = []
    for tag, length in zip(tags, lengths, strict=True):
        entries.append(tag + lengths_written[length] + starts_written[start])
        start += length
    directory = "".join(entries)
    if len(directory) != base - 25:
        raise UnwritableError("a tag has not 3 characters", remedy="give it a tag of 3 letters or digits")
    leader = record.leader
    head = f"{size:05d}{leader[5:9]:4}a22{base:05d}{leader[17:20]:3}4500{directory}\x1e"
    return head.encode("ascii") + content + b"\x1e\x1d"


@cache
def _numbers() -> tuple[list[str], list[str]]:
    """Lengths and places as a directory writes them: looking them up takes half the time of formatting them."""
    return [f"{length:04d}" for length in range(MAX_FIELD_BYTES + 1)], [f"{start:05d}" for start in range(100_000)]


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
