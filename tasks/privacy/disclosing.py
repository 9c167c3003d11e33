"""Everything that is held about one person, as one document: for the person who asks, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.register import Register
from schemas.warehouse.patrons import (
    core_patron,
    core_patron_change,
    core_patron_history,
    core_patron_identifier,
    core_patron_lock,
    core_patron_merge,
    core_patron_obligation,
    core_patron_source,
    core_patron_version,
    raw_patron_receipt,
    stage_patron,
    stage_patron_due,
)
from tasks.privacy.places import KnownPerson, files_of, known_person, sent_files_of
from tasks.privacy.told import notices_naming, words_of

SECTIONS: Final[Mapping[str, tuple[sa.Table, str]]] = {
    "the person as they are now": (core_patron, "What Samkat wrote, and what is there"),
    "what each source says": (core_patron_source, "What the institution's registers sent"),
    "ids": (core_patron_identifier, "With the days on which they were theirs"),
    "protected values": (core_patron_lock, "Set by staff or by a source, those that ended included"),
    "earlier values": (core_patron_history, "Said once, and said no more"),
    "earlier states of the person": (core_patron_version, "Kept so that a run can be undone"),
    "decisions": (core_patron_change, "Each change, and each that was kept from being made, with its rule"),
    "loans and balances": (core_patron_obligation, "As the library system told last"),
    "instant updates": (raw_patron_receipt, "Receipts of the intake service"),
    "rows that wait": (stage_patron, "Of files of which something waits for a decision"),
    "changes that wait": (stage_patron_due, "Of the same"),
}
"""Section: (table, what it is). Every table with a column `person_id` is one of them; a test holds that."""
_JSON: Final = frozenset(
    {"document", "affiliations", "protected", "said", "held_value", "baseline", "old", "new", "image", "plan"}
    | {"incoming", "content", "images"}
)
_HIDDEN: Final = frozenset({"content_hash", "read_back_hash", "sent_hash", "request_hash"})


def disclose(connection: Connection, person_id: int, register: Register, now: datetime) -> dict[str, Any]:
    """The document: sections with their rows, the files in which the person may stand, the e-mails that name them."""
    known = known_person(connection, person_id)
    found: dict[str, Any] = {
        "about": {
            "institution": known.institution,
            "person_ids": list(known.person_ids),
            "as_of": now,
            "note": "Everything that is held about this person. docs/personal-data.md says why, and for how long.",
        }
    }
    for name, (table, about) in SECTIONS.items():
        rows = connection.execute(
            sa.select(table).where(table.c.person_id.in_(known.person_ids)).order_by(*table.primary_key.columns)
        )
        found[name] = {"about": about, "rows": [_readable(dict(row._mapping)) for row in rows]}
    found["merged with"] = {"about": "Persons who turned out to be this one", "rows": _merges(connection, known)}
    found["files received"] = {
        "about": "Files of their sources, and exports of the library system, in which the person may stand",
        "rows": [
            {
                **{name: row._mapping[name] for name in ("delivery_id", "kind", "sender", "name", "business_date")},
                "received_at": row.received_at,
                "is_shredded": row.is_shredded,
            }
            for row in files_of(connection, known, register)
        ],
    }
    found["files sent"] = {
        "about": "Files for the library system in which the person may stand",
        "rows": [_readable(dict(row._mapping)) for row in sent_files_of(connection, known)],
    }
    found["e-mails"] = {
        "about": "E-mails that name the person",
        "rows": [
            {name: row._mapping[name] for name in ("notice_id", "kind", "recipient", "subject", "sent_at", "body_text")}
            for row in notices_naming(connection, words_of(connection, known))
        ],
    }
    return found


def _merges(connection: Connection, known: KnownPerson) -> list[dict[str, Any]]:
    merge = core_patron_merge
    rows = connection.execute(
        sa.select(merge).where(
            sa.or_(merge.c.survivor_id.in_(known.person_ids), merge.c.merged_id.in_(known.person_ids))
        )
    )
    return [_readable(dict(row._mapping)) for row in rows]


def _readable(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in row.items():
        if name in _HIDDEN or value is None:
            continue
        is_json = name in _JSON or (name == "value" and "history_id" in row)
        found[str(name)] = orjson.loads(value) if is_json and isinstance(value, str) else value
    return found


def as_json(document: Mapping[str, Any]) -> bytes:
    """The document for programs: a format that others can read, too."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str)


def as_text(document: Mapping[str, Any]) -> str:
    """The document for the person: headings, and a line a value."""
    lines: list[str] = []
    for name, section in document.items():
        lines += ["", name[0].upper() + name[1:], "=" * len(name)]
        if "rows" not in section:
            lines += list(_lines(section, ""))
            continue
        lines += [section["about"], ""]
        for number, row in enumerate(section["rows"], start=1):
            lines += [f"{number}.", *_lines(row, "   ")]
        if not section["rows"]:
            lines.append("Nothing.")
    return "\n".join(lines[1:]) + "\n"


def _lines(value: Any, margin: str, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        if name:
            yield f"{margin}{name}:"
        for key, each in value.items():
            yield from _lines(each, margin + ("  " if name else ""), str(key))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        yield from _list_lines(list(value), margin, name)
    else:
        yield f"{margin}{name}: {_cell(value)}" if name else f"{margin}{_cell(value)}"


def _list_lines(values: Sequence[Any], margin: str, name: str) -> Iterator[str]:
    if all(not isinstance(each, Mapping | list | tuple) for each in values):
        yield f"{margin}{name}: {', '.join(_cell(each) for each in values) or 'none'}"
        return
    yield f"{margin}{name}:"
    for each in values:
        yield from _lines(each, margin + "  ", "-")


def _cell(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else str(value)
