"""Small staged deliveries for the tests of quality, staged by the real staging."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from schemas.marc import BibFacts, HoldingFacts, HoldingLine, IsbnFact, StagedPiece
from schemas.outcomes import DeliveryState, RecordType
from schemas.register.catalogue import CatalogueRules
from schemas.register.guards import GuardPolicy
from schemas.register.levels import LevelPolicy, LevelTable
from schemas.register.libraries import Library
from schemas.register.matching import MatchingPolicy
from schemas.register.register import Register
from schemas.register.suppliers import QualityLimits, Supplier
from schemas.warehouse.core import core_outcome
from schemas.warehouse.raw import raw_delivery, raw_record
from schemas.warehouse.stage import stage_holding
from tasks.catalogue.levels import LevelReading
from tasks.catalogue.staged_rows import StagedMember, StagingRules, row_batches
from tasks.catalogue.staging import stage_delivery
from tasks.quality.data_docs import DocsRequest
from tasks.warehouse.engine import Warehouse
from tasks.warehouse.ledger import Arrival, register_arrival

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
_NUMBERS = itertools.count()


def supplier(**limits: Any) -> Supplier:
    """A supplier whose quality limits are the defaults, but for `limits`."""
    return Supplier(
        code="NORDBOK",
        name="Nordbok",
        contact="data@nordbok.example",
        agreement_from=date(2020, 1, 1),
        quality=QualityLimits(**limits),
    )


def register_with(of: Supplier) -> Register:
    """A register with two libraries, SOLB and LUNV, and levels 3, 5, 7 and 8."""
    libraries = tuple(
        Library(
            sigel=sigel,
            name=sigel,
            participation="registering",
            agreement_from=date(2020, 1, 1),
            contact="post@solberg.example",
        )
        for sigel in ("SOLB", "LUNV")
    )
    return Register(
        catalogue=CatalogueRules(),
        suppliers=(of,),
        libraries=libraries,
        matching=MatchingPolicy(),
        levels=LevelPolicy(tables={"default": LevelTable(replaces={"3": "58", "7": "58", "8": "58", "5": "5"})}),
        guards=GuardPolicy(flows={}),
    )


def bib(
    title: str = "Fyren",
    isbns: Sequence[Literal["valid", "invalid", "set"]] = ("valid",),
    level: str = "7",
    embedded: Sequence[str] = (),
    reject_reason: str = "",
) -> dict[str, Any]:
    """A bib: its 020 $a by status, and embedded 852 by sigel."""
    facts = BibFacts(
        control_number="x1",
        title=title,
        author="",
        encoding_level=level,
        record_type="a",
        bib_level="m",
        carrier="",
        year=2024,
        is_national_bibliography=False,
        isbns=tuple(IsbnFact("9789100123451", "9789100123451", "a", "", status) for status in isbns),
        identifiers=(),
        reject_reason=reject_reason,
    )
    return {"record_type": "bib", "bib": facts, "holdings": tuple(_holding(n, s) for n, s in enumerate(embedded, 1))}


def holding(sigel: str = "SOLB") -> dict[str, Any]:
    """A holding record."""
    return {"record_type": "holding", "bib": None, "holdings": (_holding(0, sigel),)}


def unreadable() -> dict[str, Any]:
    """A piece that is not a record."""
    return {"record_type": "unreadable", "bib": None, "holdings": ()}


def _holding(part: int, sigel: str) -> HoldingFacts:
    return HoldingFacts(part, sigel, False, "", (HoldingLine("852", "Hc", "", "", "[]"),))


def stage(warehouse: Warehouse, pieces: Sequence[dict[str, Any]], name: str = "day.mrc", **values: Any) -> int:
    """Stage a delivery of NORDBOK and return its id; `values` are further columns of its row in the ledger."""
    staged = [
        StagedPiece(
            position=position,
            member_no=0,
            byte_offset=position * 10,
            content=b"x",
            charset="utf-8",
            findings=(),
            reason="no leader" if piece["record_type"] == "unreadable" else "",
            normalised=None,
            **piece,
        )
        for position, piece in enumerate(pieces, 1)
    ]
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    with warehouse.write() as connection:
        delivery_id = register_arrival(
            connection, Arrival("supplier", "NORDBOK", sha256, name, f"file:///in/{name}", 3, NOW)
        ).delivery_id
    rules = StagingRules(LevelReading(register_with(supplier()).levels), "NORDBOK")
    member = StagedMember(0, name, "iso2709", [staged])
    stage_delivery(warehouse, delivery_id, row_batches(delivery_id, [member], rules, 1000), now=NOW)
    if values:
        with warehouse.write() as connection:
            connection.execute(
                sa.update(raw_delivery).where(raw_delivery.c.delivery_id == delivery_id).values(**values)
            )
    return delivery_id


def settle_some(warehouse: Warehouse, sizes: Sequence[int]) -> list[int]:
    """Settled deliveries of NORDBOK with so many records each: its history."""
    return [
        stage(warehouse, [], f"earlier-{next(_NUMBERS)}.mrc", state=DeliveryState.SETTLED, records_read=size)
        for size in sizes
    ]


def give_outcomes(warehouse: Warehouse, delivery_id: int) -> None:
    """Every record gets one outcome: bibs and holdings are created."""
    with warehouse.write() as connection:
        rows = connection.execute(
            sa.select(raw_record.c.position, sa.literal(0).label("part"), raw_record.c.record_type)
            .where(raw_record.c.delivery_id == delivery_id, raw_record.c.record_type != RecordType.UNREADABLE)
            .union_all(
                sa.select(stage_holding.c.position, stage_holding.c.part, sa.literal("holding")).where(
                    stage_holding.c.delivery_id == delivery_id, stage_holding.c.part > 0
                )
            )
        ).all()
        for row in rows:
            add_outcome(connection, delivery_id, row.position, row.part, row.record_type)


def add_outcome(
    connection: sa.Connection,
    delivery_id: int,
    position: int,
    part: int = 0,
    record_type: str = "bib",
    outcome: str = "created",
    **more: Any,
) -> None:
    """One outcome row; seq 1 and the latest unless told otherwise."""
    values = {"seq": 1, "is_latest": True, "rule": "test", "reason": "", "decided_at": NOW, **more}
    connection.execute(
        sa.insert(core_outcome).values(
            delivery_id=delivery_id, position=position, part=part, record_type=record_type, outcome=outcome, **values
        )
    )


HOSTILE = "<script>alert(1)</script>"

DELIVERIES: dict[str, list[dict[str, Any]]] = {
    "mixed": [bib(), holding("SOLB"), bib(title="", isbns=["invalid", "set"], embedded=["ZZ"]), unreadable()] * 7,
    "all good": [bib(embedded=["SOLB", "LUNV"])] * 30,
    "all bad": [bib(title="", isbns=["invalid"], level="x", embedded=[""]), unreadable()] * 15,
    "no bibs": [holding("SOLB")] * 24 + [holding("ZZ")],
    "no holdings": [bib()] * 20,
    "no ISBN and no title": [bib(title=" ", isbns=[])] * 20,
    "only unreadable": [unreadable()] * 20,
    "nothing at all": [],
    "one record": [bib(isbns=["invalid"])],
    "exactly at the limits": [bib()] * 18 + [bib(title="", isbns=["invalid"])] + [bib(isbns=["invalid"])],
    "one row under the limits": [bib()] * 17 + [bib(title="", level=" ")] * 2 + [bib(isbns=["invalid", "invalid"])],
    "blank and odd levels": [bib(level=level) for level in " 1234578uzx"] * 2,
    "many unknown sigels": [holding(f"Q{number}") for number in range(60)] + [bib()],
    "hostile text": [bib(embedded=[HOSTILE, "a$b {{x}}", "X" * 500])] * 20,
}


def as_the_child_gets_it(request: DocsRequest) -> dict[str, Any]:
    """A request for Data Docs as it comes out of the pipe to the child process."""
    sent: dict[str, Any] = orjson.loads(orjson.dumps(dataclasses.asdict(request)))
    return sent
