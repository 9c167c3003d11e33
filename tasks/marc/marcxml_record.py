"""One MARCXML record element into a record.

Two readers that must agree: a strict pattern for the way programs write MARCXML, and lxml for everything else. The
pattern reads a record only if it accounts for every character of it, so whatever is unusual (comments, other
attributes, references, faults) goes to lxml, which decides what is well-formed. Alone lxml takes longer than all the
rest of staging together; tests/unit/test_marc_xml_record.py holds the two against each other.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lxml import etree

from schemas.marc import Finding
from tasks.marc.records import FIELD_END, LEADER_LENGTH, RECORD_END, SUBFIELD_MARK, LazyRecord, UnreadableError

_NAME = r"[A-Za-z_][\w.-]*"
_START = re.compile(rf"<(?:({_NAME}):)?record(?=[\s/>])[^<>]*>")
_PREFIX = re.compile(rf"</?({_NAME}):|\s({_NAME}):{_NAME}\s*=")
_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)")
_COLLAPSED_LEADER = re.compile(r"(\d{5})(\w{3}.{0,2})22(\d{5})(.{0,3})4500")
"""A leader in which some tool made one blank of several."""
_NO_LEADER = "00000    a2200000   4500"
"""The schema allows a record without a leader; type and level are blank then."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_PARSER = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    no_network=True,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


class XmlRecord(NamedTuple):
    """A record, and what had to be put right to make it one."""

    record: LazyRecord
    findings: list[Finding]


class _IrregularError(Exception):
    """The pattern does not account for the whole record."""


class _ForeignCodeError(Exception):
    """A tag or code that MARC cannot have."""


def record_from_xml(element: str) -> XmlRecord:
    """Read one `record` element, of any prefix. Raises `UnreadableError` with the reason.

    Entities other than XML's own five are unknown here: a DTD is never read.
    """
    try:
        return XmlRecord(_record_by_pattern(element), [])
    except _IrregularError:
        return record_by_lxml(element)


@lru_cache(maxsize=16)
def _patterns(prefix: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Leader pattern and field pattern for elements with this prefix (`marc:`, or empty)."""
    p = re.escape(prefix)
    leader = re.compile(rf"\s*<{p}leader>([\x20-\x25\x27-\x3b\x3d-\x7e]{{24}})</{p}leader>\s*")
    # Possessive (`?+`, `*+`): there is never a reason to go back, and not keeping the way back saves a sixth.
    field = re.compile(
        rf'<{p}(?:datafield tag="([0-9A-Za-z]{{3}}" ind1="[^"<&]" ind2="[^"<&])">\s*+<{p})?+'
        rf'subfield code="([^"<&\s])">([^<]*+)</{p}subfield>\s*+(</{p}datafield>)?+\s*+'
        rf'|<{p}controlfield tag="(00[0-9A-Za-z])">([^<]*+)</{p}controlfield>\s*+'
        r"|(.)",
        re.DOTALL,
    )
    return leader, field


def _record_by_pattern(element: str) -> LazyRecord:
    start = _START.match(element)
    if start is None or "\r" in element or ("]" in element and "]]>" in element):
        raise _IrregularError
    if SUBFIELD_MARK in element or FIELD_END in element or RECORD_END in element:
        raise _IrregularError
    prefix = f"{start.group(1)}:" if start.group(1) else ""
    end = f"</{prefix}record>"
    leader_pattern, field_pattern = _patterns(prefix)
    leader = leader_pattern.match(element, start.end())
    if leader is None or not element.endswith(end):
        raise _IrregularError
    tags: list[str] = []
    texts: list[str] = []
    open_text = ""
    found = field_pattern.findall(element, leader.end(), len(element) - len(end))
    for opened, code, value, is_closed, control_tag, control_value, other in found:
        if opened:  # 245" ind1="1" ind2="0
            if open_text:
                raise _IrregularError
            tags.append(opened[:3])
            open_text = f"{opened[11]}{opened[20]}\x1f{code}{value}"
        elif code and open_text:
            open_text = f"{open_text}\x1f{code}{value}"
        elif control_tag and not open_text:
            tags.append(control_tag)
            texts.append(control_value)
            continue
        else:
            raise _IrregularError(other)
        if is_closed:
            texts.append(open_text)
            open_text = ""
    if open_text or not tags:
        raise _IrregularError
    if "&" in element:
        texts = _unescaped(texts)
    return LazyRecord(leader.group(1), tags, texts)


def _unescaped(texts: list[str]) -> list[str]:
    whole = "\x1e".join(texts)
    if _REFERENCE.search(whole):
        raise _IrregularError
    for name, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        whole = whole.replace(name, char)
    return whole.split("\x1e")


def record_by_lxml(element: str) -> XmlRecord:
    """As `record_from_xml`, by lxml alone."""
    findings: list[Finding] = []
    plain = _CONTROL.sub("", element)
    if plain != element:
        shown = ", ".join(dict.fromkeys(f"U+{ord(each):04X}" for each in _CONTROL.findall(element)))
        findings.append(
            Finding("control_character", f"control characters, not allowed in XML, were left out ({shown})")
        )
    record = _parsed(plain)
    leader = None
    tags: list[str] = []
    texts: list[str] = []
    for child in record.iterchildren(tag=etree.Element):
        name = _name(child)
        if name == "leader":
            leader = leader if leader is not None else _text(child, "leader")
        elif name == "controlfield" or name == "datafield":
            text = _field_text(child, name, findings)
            if text is not None:
                tags.append(_tag(child, name))
                texts.append(text)
        elif child.get("tag") is not None or any(_name(each) == "subfield" for each in child):
            raise UnreadableError(f"<{name}> does not belong in a MARCXML record")
        else:
            findings.append(Finding("element_ignored", f"<{name}> is no part of MARCXML and was left out"))
    if not tags:
        raise UnreadableError("the record has no fields")
    if leader is None:
        leader = _NO_LEADER
        findings.append(Finding("leader_missing", "the record has no leader: its type and level are not known", "LDR"))
    return XmlRecord(LazyRecord(_leader(leader, findings), tags, texts), findings)


def _parsed(element: str) -> etree._Element:
    # The prefixes are declared on the root of the document, which is not here.
    prefixes = {each for pair in _PREFIX.findall(element) for each in pair if each} - {"xml", "xmlns"}
    declarations = "".join(f' xmlns:{prefix}="urn:{prefix}"' for prefix in sorted(prefixes))
    try:
        root = etree.fromstring(f"<piece{declarations}>{element}</piece>".encode(), _PARSER)
    except etree.XMLSyntaxError as error:
        reason = str(error.msg).rsplit(", line ", 1)[0]
        raise UnreadableError(f"not well-formed XML: {reason}") from None
    if any(isinstance(each, etree._Entity) for each in root.iter(etree.Entity)):
        raise UnreadableError("an entity is used that XML does not know; document type declarations are not read")
    return root[0]


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _field_text(element: etree._Element, name: str, findings: list[Finding]) -> str | None:
    """The text of a field; None for a local field of some system that cannot be MARC, which is told.

    Systems put fields of their own into MARCXML (`tag="HLD866"`, `code="updated"`). That is no reason to lose the
    record; in a field of the standard the same is damage.
    """
    tag = _tag(element, name)
    try:
        return _text(element, tag) if name == "controlfield" else _data_field(element, tag, findings)
    except _ForeignCodeError as error:
        reason = str(error)
    if tag[:1].isdigit() and tag[0] != "9" and len(tag) == 3:
        raise UnreadableError(reason)
    findings.append(Finding("field_left_out", f"a local field was left out: {reason}", tag[:3]))
    return None


def _tag(element: etree._Element, name: str) -> str:
    tag = (element.get("tag") or "").strip()
    if len(tag) < 3 or not (tag.isascii() and tag.isalnum()):
        raise UnreadableError(f"a {name} has no valid tag ({tag!r})")
    return tag


def _text(element: etree._Element, where: str) -> str:
    if len(element):
        raise UnreadableError(f"{where}: the element <{_name(element[0])}> stands where only text may be")
    return element.text or ""


def _data_field(element: etree._Element, tag: str, findings: list[Finding]) -> str:
    if len(tag) > 3:
        raise _ForeignCodeError(f"{tag!r} is no tag of 3 characters")
    indicators = ""
    for name in ("ind1", "ind2"):
        value = element.get(name)
        if value is None or len(value) > 1:
            shown = "missing" if value is None else repr(value)
            findings.append(Finding("indicators_wrong", f"{tag}: {name} is {shown}", tag))
        indicators += (value or " ")[0]
    chunks = [indicators]
    for child in element:
        if _name(child) != "subfield":
            raise UnreadableError(f"{tag}: the element <{_name(child)}> stands where only subfields may be")
        code = child.get("code") or ""
        value = _text(child, f"{tag} ${code}")
        if len(code) != 1:
            raise _ForeignCodeError(f"{tag}: a subfield has no valid code ({code!r})")
        chunks.append(code + value)
    return SUBFIELD_MARK.join(chunks)


def _leader(text: str, findings: list[Finding]) -> str:
    """24 characters. A leader that lost blanks at its end is filled up; one cut before 08 says too little."""
    plain = text.strip("\r\n\t")
    if len(plain) == LEADER_LENGTH and plain.isascii() and plain.isprintable():
        return plain
    if len(plain.rstrip()) < 8:
        raise UnreadableError(f"the leader has {len(plain)} of 24 characters: {plain!r}")
    collapsed = _COLLAPSED_LEADER.fullmatch(plain)
    if collapsed:
        length, codes, base, more = collapsed.groups()
        plain = f"{length}{codes:<5}22{base}{more:<3}4500"
    right = "".join(char if " " <= char <= "~" else " " for char in f"{plain:<24}"[:24])
    findings.append(Finding("leader_damaged", f"the leader {text!r} was read as {right!r}", "LDR"))
    return right
