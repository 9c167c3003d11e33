"""Small faults inside fields, put right with a finding: indicators, subfields without a code, control characters.

What belongs here is what a cataloguing system would show as rubbish or refuse, and what can be put right without
guessing. The bytes as they came are kept beside the record, so nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from schemas.marc import Finding
from tasks.marc.records import FIELD_END, SUBFIELD_MARK

_CONTROL_CHARACTERS = bytes([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x1D), 0x7F])
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1d\x7f\ufffe\uffff]")
_EMPTY_IN_BYTES = re.compile(rb"\x1f[\x1f\x1e]")
_EMPTY = re.compile("\x1f(?=[\x1f\x1e]|$)")


def has_control_characters(body: bytes) -> bool:
    """Whether the bytes of the fields hold control characters (other than tab, line ends and separators)."""
    return len(body.translate(None, _CONTROL_CHARACTERS)) != len(body)


def needs_repair(tags: list[str], texts: list[str], body: bytes) -> bool:
    """Whether a field is shaped wrongly. `body` is the bytes of the fields with 0x1E between them."""
    if _EMPTY_IN_BYTES.search(body) or body[-1:] == b"\x1f":
        return True
    if b"\xef" in body and (b"\xef\xbf\xbe" in body or b"\xef\xbf\xbf" in body):
        return True  # U+FFFE, U+FFFF: no characters, and not allowed in XML
    # Control fields stand first; where they do not, the careful look is taken for nothing.
    controls = 0
    for tag in tags:
        if tag >= "010":
            break
        controls += 1
    return [text[2:3] for text in texts].count(SUBFIELD_MARK) != len(tags) - controls


def repaired(tags: list[str], texts: list[str], divided: Collection[str] = ()) -> tuple[list[str], list[Finding]]:
    """The field texts set right, and a finding for each field that was not.

    `divided` are control fields that hold subfields in the dialect they come in.
    """
    findings: list[Finding] = []
    result = []
    for tag, text in zip(tags, texts, strict=True):
        clean = _CONTROL.sub("", text)
        if clean != text:
            shown = ", ".join(dict.fromkeys(f"U+{ord(each):04X}" for each in _CONTROL.findall(text)))
            findings.append(Finding("control_character", f"{tag}: control characters were left out ({shown})", tag))
        result.append(clean if tag in divided else _shaped(tag, clean, findings))
    return result, findings


def _shaped(tag: str, text: str, findings: list[Finding]) -> str:
    if SUBFIELD_MARK not in text:
        if tag >= "010" and tag.isdigit():
            findings.append(Finding("subfields_missing", f"{tag}: no subfield in {text[:40]!r}", tag))
        return text
    if tag < "010":
        plain = text.replace(SUBFIELD_MARK, " ")
        findings.append(Finding("subfields_in_control_field", f"{tag} holds subfields; read as {plain[:40]!r}", tag))
        return plain
    if _EMPTY.search(text):
        text = _EMPTY.sub("", text)
        findings.append(Finding("subfield_without_code", f"{tag}: an empty subfield was left out", tag))
        if SUBFIELD_MARK not in text:
            return text[:2]
    indicators, rest = text.split(SUBFIELD_MARK, 1)
    if len(indicators) != 2:
        right = f"{indicators:<2}"[:2]
        findings.append(
            Finding("indicators_wrong", f"{tag}: the indicators are {indicators!r}, read as {right!r}", tag)
        )
        text = right + SUBFIELD_MARK + rest
    return text


def joined(texts: list[str]) -> str:
    """All field texts in one, with 0x1E between them."""
    return FIELD_END.join(texts)
