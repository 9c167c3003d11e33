"""Character sets: which one a record is really in, and its fields as text.

The supplier's declaration and leader/09 are believed as far as the bytes allow. Valid UTF-8 stays what it is, whatever
is declared: no other character set looks like it by chance. Whatever is read in another way than declared, or put
right, is a finding that names the fields; nothing becomes U+FFFD. Where bytes of a field that decides something
(`DECISIVE_TAGS`) cannot be read with certainty the record is unreadable. In any other field each odd byte is read as
Windows-1252, one character a byte, and the finding says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from schemas.marc import Finding
from tasks.marc.marc8 import looks_like_marc8, marc8_fields
from tasks.marc.records import FIELD_END, UnreadableError

Charset = Literal["auto", "utf-8", "marc-8", "iso8859-1"]

DECISIVE_TAGS = frozenset({"001", "003", "004", "020", "245", "852"})
"""A wrong character here would match, name or place a record wrongly."""

_NAMES = {"utf-8": "UTF-8", "marc-8": "MARC-8", "iso8859-1": "ISO 8859-1", "windows-1252": "Windows-1252"}
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_WINDOWS_BYTE = re.compile(rb"[\x80-\x9f]")

# UTF-8 that was read as Windows-1252 or Latin-1 and written as UTF-8 again. Ã, Â and â€ begin nearly all of it.
_MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf\u0152-\u0178\u02c6\u02dc\u2013-\u203a\u20ac\u2122]|â€")


class Decoded(NamedTuple):
    """The fields of a record as text, in order, and the character set they were in."""

    texts: list[str]
    charset: str
    findings: list[Finding]


def decode_body(leader: str, tags: Sequence[str], body: bytes, declared: Charset) -> Decoded:
    """The fields of a record as text; `body` is its fields with 0x1E between them, `tags` theirs.

    Raises `UnreadableError` where a decisive field cannot be decoded.
    """
    expected = declared if declared != "auto" else ("utf-8" if leader[9] == "a" else "marc-8")
    if body.isascii() and (expected != "marc-8" or b"\x1b" not in body):
        return Decoded(body.decode("ascii").split(FIELD_END), "utf-8", [])
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_by_field(leader, tags, body, expected, is_declared=declared != "auto")
    if text.isascii():  # escape sequences lead to all of MARC-8 in seven bits
        return _decode_by_field(leader, tags, body, expected, is_declared=declared != "auto")
    texts = text.split(FIELD_END)
    findings = [] if expected == "utf-8" else [_mislabelled(leader, declared, "utf-8", [])]
    findings += check_texts(tags, texts, text)
    return Decoded(texts, "utf-8", findings)


def check_texts(tags: Sequence[str], texts: list[str], body: str) -> list[Finding]:
    """Put mojibake in `texts` right, tell of U+FFFD that came with the record. `body` is all of `texts` in one."""
    findings = []
    if not body.isascii():
        # Spelled out, since nearly every record comes by here.
        if "Ã" in body or "Â" in body or "â€" in body:
            findings += _without_mojibake(tags, texts)
        if "\ufffd" in body:
            lost = _listed(tag for tag, text in zip(tags, texts, strict=True) if "\ufffd" in text)
            text = f"U+FFFD stands in {lost}: characters were lost before the record came here"
            findings.append(Finding("replacement_character", text, lost))
    return findings


def decode_document(content: bytes, encoding: str) -> tuple[str, str, list[Finding]]:
    """Text, character set and findings of a MARCXML piece whose document declares `encoding`.

    A piece that is not what the document declares is read as UTF-8, else as Windows-1252 or ISO 8859-1, with a
    finding. Raises `UnreadableError` where its bytes mix character sets.
    """
    if encoding == "utf-8" or content.isascii() or encoding.startswith("utf-16") or not _is_utf8(content):
        try:
            return content.decode(encoding), encoding, []
        except UnicodeDecodeError:
            pass
    try:
        text, charset = content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if _UTF8_SEQUENCE.search(content):
            bad = content[error.start : error.start + 1].hex().upper()
            raise UnreadableError(
                f"byte 0x{bad} at {error.start} is not {encoding.upper()}, though other characters are"
            ) from None
        text, charset = _latin(content)
    finding = Finding(
        "charset_mislabelled", f"the document declares {encoding.upper()}, the record is in {_NAMES[charset]}"
    )
    return text, charset, [finding]


def _decode_by_field(leader: str, tags: Sequence[str], body: bytes, expected: str, *, is_declared: bool) -> Decoded:
    """Fields one by one: UTF-8 ones, damaged ones, and those in an older character set, which is one for all."""
    fields = body.split(b"\x1e")
    texts: list[str] = [""] * len(fields)
    older: list[int] = []
    damaged: list[int] = []
    is_unicode_seen = False
    for place, field in enumerate(fields):
        try:
            texts[place] = field.decode("utf-8")
            is_unicode_seen = is_unicode_seen or not field.isascii()
            if field.isascii() and b"\x1b" in field and expected == "marc-8":
                older.append(place)
        except UnicodeDecodeError:
            (damaged if _is_damaged_utf8(field) else older).append(place)
    findings: list[Finding] = []
    charset = "utf-8"
    if older:
        charset = _older_charset([fields[place] for place in older], expected, is_declared=is_declared)
        charset, problems = _decode_older(tags, fields, texts, older, charset)
        findings += problems
        if is_unicode_seen or damaged:
            findings.append(_mixed(tags, older, charset))
            charset = "utf-8"
        elif charset.replace("windows-1252", "iso8859-1") != expected:
            said = expected if is_declared else "auto"
            findings.append(_mislabelled(leader, said, charset, [tags[place] for place in older]))
    for place in damaged:
        texts[place], finding = _damaged_text(tags[place], fields[place])
        findings.append(finding)
    return Decoded(texts, charset, findings)


def _older_charset(fields: list[bytes], expected: str, *, is_declared: bool) -> str:
    """MARC-8 or ISO 8859-1: the supplier's word, else whichever makes sense of the bytes."""
    if is_declared and expected in ("marc-8", "iso8859-1"):
        return expected
    return "marc-8" if looks_like_marc8(fields, is_expected=expected == "marc-8") else "iso8859-1"


def _decode_older(
    tags: Sequence[str], fields: list[bytes], texts: list[str], places: list[int], charset: str
) -> tuple[str, list[Finding]]:
    """Fill `texts` at `places`; returns the character set, more exactly, and what could not be mapped."""
    if charset == "marc-8":
        findings = []
        for place in places:
            texts[place], problem = marc8_fields(fields[place])
            if problem and tags[place] in DECISIVE_TAGS:
                raise UnreadableError(f"field {tags[place]} is not valid MARC-8: {problem}")
            if problem:
                findings.append(Finding("marc8_unmapped", f"field {tags[place]}: {problem}", tags[place]))
        return charset, findings
    exact = "iso8859-1"
    for place in places:
        texts[place], found = _latin(fields[place])
        exact = found if found == "windows-1252" else exact
    return exact, []


def _latin(content: bytes) -> tuple[str, str]:
    """Bytes 0x80 to 0x9F are control characters in ISO 8859-1; where they stand, Windows-1252 is meant."""
    if _WINDOWS_BYTE.search(content):
        try:
            return content.decode("cp1252"), "windows-1252"
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1"), "iso8859-1"


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_damaged_utf8(field: bytes) -> bool:
    """UTF-8 with a few bytes lost or foreign ones put in, rather than another character set."""
    sequences = _UTF8_SEQUENCE.findall(field)
    stray = len(_HIGH_BYTE.findall(field)) - sum(map(len, sequences))
    return len(sequences) >= stray


def _damaged_text(tag: str, field: bytes) -> tuple[str, Finding]:
    """A field whose UTF-8 is broken: odd bytes as Windows-1252. Raises `UnreadableError` for a decisive tag."""
    pieces: list[str] = []
    odd: list[str] = []
    rest = field
    while True:
        try:
            pieces.append(rest.decode("utf-8"))
            break
        except UnicodeDecodeError as error:
            if tag in DECISIVE_TAGS:
                bad = rest[error.start : error.end].hex(" ").upper()
                raise UnreadableError(f"field {tag} holds bytes that are not UTF-8 (0x{bad})") from None
            pieces.append(rest[: error.start].decode("utf-8"))
            pieces.append(_latin(rest[error.start : error.end])[0])
            odd.append(rest[error.start : error.end].hex(" ").upper())
            rest = rest[error.end :]
    shown = ", ".join(f"0x{each}" for each in odd[:5]) + (" ..." if len(odd) > 5 else "")
    text = f"field {tag} is UTF-8 with odd bytes ({shown}); they were read as Windows-1252 characters"
    return "".join(pieces), Finding("charset_damaged", text, tag)


def _without_mojibake(tags: Sequence[str], texts: list[str]) -> list[Finding]:
    corrected, suspected = [], []
    for place, text in enumerate(texts):
        if text.isascii() or not _MOJIBAKE.search(text):
            continue
        fixed = _decoded_once_more(text)
        if fixed is None:
            suspected.append(tags[place])
        else:
            texts[place] = fixed
            corrected.append(tags[place])
    findings = []
    if corrected:
        where = _listed(corrected)
        findings.append(Finding("mojibake", f"UTF-8 was encoded twice in {where}; it was decoded once more", where))
    if suspected:
        where = _listed(suspected)
        text = f"{where} seems to hold UTF-8 that was encoded twice, mixed with other characters; left as it is"
        findings.append(Finding("mojibake_suspected", text, where))
    return findings


def _decoded_once_more(text: str) -> str | None:
    """The text behind mojibake, or None unless every character outside ASCII takes part in it."""
    try:
        content = b"".join(_windows_bytes(char) for char in text)
        return content.decode("utf-8")
    except UnicodeError:
        return None


def _windows_bytes(char: str) -> bytes:
    try:
        return char.encode("cp1252")
    except UnicodeEncodeError:
        return char.encode("latin-1")


def _mislabelled(leader: str, declared: str, charset: str, tags: list[str]) -> Finding:
    said = f"leader/09 is {leader[9]!r}" if declared == "auto" else f"{_NAMES[declared]} is declared"
    where = f" ({_listed(tags)})" if tags else ""
    return Finding("charset_mislabelled", f"{said}, the bytes are {_NAMES[charset]}{where}", "LDR")


def _mixed(tags: Sequence[str], places: list[int], charset: str) -> Finding:
    where = _listed(tags[place] for place in places)
    return Finding("charset_mixed", f"most of the record is UTF-8, but {where} was read as {_NAMES[charset]}", where)


def _listed(tags: Iterable[str]) -> str:
    """Tags once each, in order, for a message."""
    return ", ".join(dict.fromkeys(tags))
