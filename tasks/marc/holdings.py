"""Facts of holdings: lines and sigel from an MFHD record, or from the 852 that a bib carries."""

from __future__ import annotations

import orjson

from schemas.marc import Field, HoldingFacts, HoldingLine, MarcRecord
from tasks.marc.records import field_of, first_value, lazy

LINE_TAGS = frozenset({"024", "852", "856"})
SHELF_MARK_CODES = "khijlm"
"""852: prefix, classification, item part, shelving control number, shelving form of title, suffix."""
SIGEL_MISSING = "852 $b (sigel) is missing"


def holding_facts(record: MarcRecord, *, origin_note: str = "origin:", takes_owner: bool = False) -> HoldingFacts:
    """A holding record (part 0): its lines are 024, 852 and 856 in record order, its sigel the first 852 $b."""
    own = lazy(record)
    sigel = ""
    lines = []
    for tag, text in zip(own.tags, own.texts, strict=True):
        if tag in LINE_TAGS:
            if tag == "852" and not sigel:
                sigel = first_value(text, "b")
            lines.append(holding_line(field_of(tag, text), origin_note, takes_owner))
    number = (own.control("001") or "").strip()
    return HoldingFacts(0, sigel, own.leader[5] == "d", number, tuple(lines), "" if sigel else SIGEL_MISSING)


def embedded_holdings(
    record: MarcRecord, *, origin_note: str = "origin:", takes_owner: bool = False
) -> tuple[HoldingFacts, ...]:
    """Holdings in a bib (part 1, 2, ...): one for each sigel in 852 $b, in order of first appearance.

    024 and 856 of a bib describe the work and stay with it. A bib marked as deleted (leader/05 = d) carries holdings
    to be deleted.
    """
    own = lazy(record)
    if "852" not in own.tags:
        return ()
    lines_by_sigel: dict[str, list[HoldingLine]] = {}
    for each in own.fields("852"):
        sigel = (each.first("b") or "").strip()
        if sigel:
            lines_by_sigel.setdefault(sigel, []).append(holding_line(each, origin_note, takes_owner))
    if not lines_by_sigel:
        return ()
    number = (own.control("001") or "").strip()
    is_delete = own.leader[5] == "d"
    return tuple(
        HoldingFacts(part, sigel, is_delete, number, tuple(lines))
        for part, (sigel, lines) in enumerate(lines_by_sigel.items(), 1)
    )


def holding_line(field: Field, origin_note: str = "origin:", takes_owner: bool = False) -> HoldingLine:
    """One line. 852 $x that begins with `origin_note` is our own mark of who owns a line, and no part of its content.

    It is believed only where the sender is a catalogue of ours (`takes_owner`): in a supplier's delivery the sender
    owns every line, whatever it writes there.
    """
    tag, indicators, subfields, _ = field
    if tag != "852":
        return HoldingLine(tag, "", "", "", _content(indicators, subfields))
    values: dict[str, list[str]] = {}
    owner = ""
    for code, value in subfields:
        if code == "x" and value.startswith(origin_note):
            subfields = tuple([each for each in subfields if each != ("x", value)])
            owner = owner or value[len(origin_note) :].strip()
        else:
            values.setdefault(code, []).append(value.strip())
    shelf_mark = " ".join([value for code in SHELF_MARK_CODES if code in values for value in values[code] if value])
    public_note = "; ".join(values["z"]) if "z" in values else ""
    internal_note = "; ".join(values["x"]) if "x" in values else ""
    content = _content(indicators, subfields)
    return HoldingLine(tag, shelf_mark, public_note, internal_note, content, owner if takes_owner else "")


def _content(indicators: str, subfields: tuple[tuple[str, str], ...]) -> str:
    return orjson.dumps((indicators, subfields)).decode()
