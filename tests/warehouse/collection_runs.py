"""The stages of `collection-match` and of the decision on its plan, called without Prefect."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tasks.catalogue import stages as catalogue
from tasks.collections import stages as collections
from tasks.collections.stages import CollectionSummary
from tasks.landing.stages import forget_preview
from tasks.matching.stages import match_on_isbn
from tasks.quality.stages import prove_conservation
from tasks.workplace import Workplace

COLUMNS = ("ISBN", "Titel", "Författare", "År", "Hylla", "Id")


def table(*rows: Sequence[object], columns: Sequence[str] = COLUMNS, charset: str = "utf-8-sig") -> bytes:
    """A library's stock as a spreadsheet saves it."""
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=";", lineterminator="\r\n").writerows([columns, *rows])
    return stream.getvalue().encode(charset)


def handed(place: Workplace, content: bytes, name: str = "stock.csv") -> Path:
    """A file as a person has it."""
    folder = Path(place.settings.home) / "given"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def match(
    place: Workplace,
    content: bytes,
    *libraries: str,
    name: str = "stock.csv",
    columns: Mapping[str, str] | None = None,
    dry_run: bool = False,
    **more: bool,
) -> CollectionSummary:
    """A run of `collection-match` over one file."""
    libraries, said = libraries or ("SOLB",), dict(columns or {})
    uris = [place.zone.adopt(handed(place, content, name), "stock")]
    deliveries = collections.receive_collection.fn(list(libraries), uris, said, dry_run=dry_run, **more)
    catalogue.stage_records.fn(deliveries)
    match_on_isbn.fn(deliveries)
    if dry_run:
        collections.preview_rows.fn(deliveries)
        forget_preview.fn(deliveries, uris)
    else:
        collections.decide_rows.fn(deliveries)
        collections.hold_holdings.fn(deliveries)
        prove_conservation.fn(deliveries)
        catalogue.settle.fn(deliveries)
    return collections.report_collections.fn(list(libraries), said, deliveries)[0]


def decide(plan_hash: str, decision: str = "approve", by: str = "Bo Alm", change_class: str | None = None) -> str:
    """A run of `plan-decide`; returns what was done, in words."""
    decided = catalogue.decide_plan.fn(plan_hash, decision, by, change_class)
    catalogue.apply_plan.fn(decided)
    attached = collections.attach_collections.fn(plan_hash)
    prove_conservation.fn(attached.deliveries, settled_too=True)
    collections.settle_collections.fn(attached.deliveries)
    return "; ".join(f"{what}: {said}" for what, said in attached.said.items())


def view(place: Workplace, name: str, *columns: str) -> list[tuple[Any, ...]]:
    """Rows of a promised view, in their order."""
    with place.warehouse.read() as connection:
        rows = connection.execute(sa.text(f"SELECT {', '.join(columns)} FROM {name} ORDER BY 1, 2"))
        return [tuple(row) for row in rows]


def read_csv(place: Workplace, uri: str) -> list[dict[str, str]]:
    """A result file as a spreadsheet opens it."""
    with place.zone.open(uri) as stream:
        text = stream.read().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def shelf(place: Workplace, sigel: str = "SOLB") -> list[tuple[str, str]]:
    """(control number of the bib, shelf marks) of what a library holds now."""
    with place.warehouse.read() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT b.control_number, l.shelf_mark FROM out_holding h JOIN out_bib b ON b.bib_id = h.bib_id"
                " LEFT JOIN out_holding_line l ON l.holding_id = h.holding_id"
                " WHERE h.sigel = :sigel AND NOT h.is_deleted ORDER BY 1, l.line_no"
            ),
            {"sigel": sigel},
        )
        return [(number, mark) for number, mark in rows]
