"""Test deliveries: what a preview found about a supplier's file, judged by the checklist, and kept as rows.

A test delivery goes through the same stages as a real one and is rolled back (tasks/catalogue/preview.py). What is kept
here explains it afterwards; its working set and its row in the ledger go, so that the same file can be loaded for real.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import DeliveryState, HoldingOutcome, RecordType
from schemas.register.suppliers import Supplier
from schemas.warehouse.raw import raw_check, raw_record
from schemas.warehouse.stage import stage_preview
from schemas.warehouse.suppliers import core_trial, core_trial_check, core_trial_record
from tasks.notices.wording import standard_book
from tasks.suppliers.checklist import JUDGED, Check, Found, checklist, is_ready
from tasks.suppliers.customers import current_customers, customers_of
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.ids import take_id
from tasks.warehouse.overview import BIB_COUNTS, HOLDING_COUNTS

COUNTS = ("records_read", "records_unreadable", *BIB_COUNTS, *HOLDING_COUNTS)
TRIED, REJECTED = "tried", "rejected"
_RECORD_COLUMNS = tuple(each.name for each in core_trial_record.columns if each.name != "trial_id")
_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class Trial:
    """A test delivery and what was found. `delivery_id` is its row in the ledger until that goes."""

    delivery_id: int
    name: str
    sha256: str
    bytes: int
    found: Found
    checks: tuple[Check, ...] = ()

    @property
    def state(self) -> str:
        """`tried`, or `rejected` as a whole."""
        return REJECTED if self.found.rejected else TRIED

    @property
    def is_ready(self) -> bool:
        """Whether every needed rule is met."""
        return is_ready(self.checks)


def read_trials(
    connection: Connection,
    supplier: Supplier,
    rows: Sequence[sa.Row[Any]],
    guards: Mapping[int, Sequence[str]],
    on: date,
) -> tuple[Trial, ...]:
    """What previews of these deliveries (rows of the ledger) found, each judged on the day `on`.

    `guards` are the classes of change that a guard would hold, by delivery.
    """
    known = customers_of(connection, supplier.code, on) if _has_reported(connection, supplier.code) else None
    found = [_found(connection, row, known, tuple(guards.get(row.delivery_id, ()))) for row in rows]
    earlier = _bibs_tried_before(connection, supplier.code, [row.sha256 for row in rows])
    bibs = earlier + sum(each.counts["bibs_read"] for each in found)
    trials = []
    for row, each in zip(rows, found, strict=True):
        whole = _with_bibs(each, bibs)
        trials.append(
            Trial(row.delivery_id, row.name, row.sha256, row.bytes, whole, checklist(supplier, whole, on))
        )  # fmt: skip
    return tuple(trials)


def together(trials: Sequence[Trial]) -> Found:
    """What all files of a run came to, for one checklist over them."""
    found = [each.found for each in trials]
    shares = {}
    for expectation in JUDGED:
        judged = [each.shares[expectation.key] for each in found if expectation.key in each.shares]
        if judged:
            shares[expectation.key] = (sum(each[0] for each in judged), sum(each[1] for each in judged), judged[0][2])
    unreported = [each.unreported for each in found]
    return Found(
        rejected="; ".join(f"{each.name}: {each.found.rejected}" for each in trials if each.found.rejected),
        counts=sum((Counter(each.counts) for each in found), Counter()),
        shares=shares,
        unknown=_all(each.unknown for each in found),
        refused=_all(each.refused for each in found),
        unreported=None if None in unreported else _all(each for each in unreported if each is not None),
        bibs_tried=max((each.bibs_tried for each in found), default=0),
        guards=_all(each.guards for each in found),
    )


def _all(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for some in names for name in some}))


def _with_bibs(found: Found, bibs: int) -> Found:
    return Found(**{**vars(found), "bibs_tried": bibs})


def _found(connection: Connection, row: sa.Row[Any], known: frozenset[str] | None, guards: tuple[str, ...]) -> Found:
    is_rejected = row.state == DeliveryState.REJECTED
    counts = Counter(dict.fromkeys(COUNTS, 0))
    records = _records(row.delivery_id).subquery("records")
    key = (records.c.record_type, records.c.outcome)
    pieces: Counter[str] = Counter()
    for record_type, outcome, number, whole in connection.execute(
        sa.select(*key, sa.func.count(), sa.func.sum(sa.case((records.c.part == 0, 1), else_=0))).group_by(*key)
    ):
        if record_type == RecordType.UNREADABLE:
            counts["records_unreadable"] += number
            continue
        counts[f"{record_type}s_{outcome}"] += number
        counts[f"{record_type}s_read"] += number
        pieces["read"] += int(whole)
    counts["records_read"] = pieces["read"]
    sigels = _sigels(connection, row.delivery_id)
    unknown = {sigel for sigel, rule in sigels if rule == "unknown_sigel"}
    unreported = None if known is None else tuple(sorted({each for each, _ in sigels} - unknown - known))
    return Found(
        rejected=(row.hold_reason or "the file cannot be taken in") if is_rejected else "",
        counts=counts,
        shares={} if is_rejected else _shares(connection, row.delivery_id),
        unknown=tuple(sorted(unknown)),
        refused=tuple(sorted({sigel for sigel, rule in sigels if rule and rule != "unknown_sigel"})),
        unreported=unreported,
        bibs_tried=0,
        guards=guards,
    )


def _records(delivery_id: int) -> sa.Select[Any]:
    """Every record of a previewed delivery with what would become of it; of a rejected file each is rejected."""
    unreadable = raw_record.c.record_type == RecordType.UNREADABLE
    is_bib = raw_record.c.record_type == RecordType.BIB
    decided = stage_preview.c.outcome
    outcome = sa.case((unreadable, "unreadable"), (decided.is_(None), "rejected"), else_=decided)
    rule = sa.case((unreadable, "unreadable"), (decided.is_(None), "file_rejected"), else_=stage_preview.c.rule)
    reason = sa.func.coalesce(stage_preview.c.reason, raw_record.c.reason, "the file was rejected as a whole")
    columns = {
        "position": raw_record.c.position,
        "part": sa.func.coalesce(stage_preview.c.part, 0),
        "byte_offset": raw_record.c.byte_offset,
        "record_type": sa.func.coalesce(stage_preview.c.record_type, raw_record.c.record_type),
        "outcome": outcome,
        "rule": rule,
        "reason": reason,
        "supplier_control_number": raw_record.c.supplier_control_number,
        "title": sa.case((is_bib, raw_record.c.title), else_=None),
        "isbn13": sa.case((is_bib, raw_record.c.isbn13), else_=None),
        "sigel": sa.func.coalesce(stage_preview.c.sigel, raw_record.c.sigel),
        "bib_id": stage_preview.c.bib_id,
        "findings": raw_record.c.findings,
    }
    here = sa.and_(
        stage_preview.c.delivery_id == raw_record.c.delivery_id, stage_preview.c.position == raw_record.c.position
    )
    return (
        sa.select(*(columns[name].label(name) for name in _RECORD_COLUMNS))
        .select_from(raw_record.outerjoin(stage_preview, here))
        .where(raw_record.c.delivery_id == delivery_id)
    )


def _sigels(connection: Connection, delivery_id: int) -> list[tuple[str, str]]:
    """(sigel, rule by which a holding of it would be refused, or empty) of every library in the file."""
    refused = stage_preview.c.outcome == HoldingOutcome.REFUSED
    rows = connection.execute(
        sa.select(stage_preview.c.sigel, sa.case((refused, stage_preview.c.rule), else_=""))
        .where(
            stage_preview.c.delivery_id == delivery_id,
            stage_preview.c.record_type == RecordType.HOLDING,
            stage_preview.c.sigel.is_not(None),
            stage_preview.c.sigel != "",
        )
        .distinct()
    )
    return [(sigel, rule) for sigel, rule in rows]


def _shares(connection: Connection, delivery_id: int) -> dict[str, tuple[int, int, float]]:
    """What the gate found, whatever the size of the file: of each share its rows, those that fail, and the limit."""
    wanted = [each.key for each in JUDGED]
    rows = connection.execute(
        sa.select(raw_check).where(raw_check.c.delivery_id == delivery_id, raw_check.c.expectation.in_(wanted))
    )
    return {row.expectation: (row.elements, row.unexpected, row.limit) for row in rows}


def _has_reported(connection: Connection, supplier: str) -> bool:
    return bool(current_customers(connection, supplier))


def _bibs_tried_before(connection: Connection, supplier: str, but: Sequence[str]) -> int:
    """Bibs of the supplier's other test files, each file counted once, as it was tried last."""
    last = (
        sa.select(sa.func.max(core_trial.c.trial_id))
        .where(core_trial.c.supplier == supplier, core_trial.c.sha256.not_in(list(but)))
        .group_by(core_trial.c.sha256)
    )
    return int(
        connection.execute(
            sa.select(sa.func.coalesce(sa.func.sum(core_trial.c.bibs_read), 0)).where(core_trial.c.trial_id.in_(last))
        ).scalar_one()
    )


def keep_trial(connection: Connection, supplier: str, trial: Trial, digest: str, about: Mapping[str, object]) -> int:
    """Keep what was found; returns the trial's id. `about`: uri, run_id, tried_at.

    Where the last trial of the same file found the same (`digest_of`), that one stays and no row is added.
    """
    last = connection.execute(
        sa.select(core_trial.c.trial_id, core_trial.c.findings_digest)
        .where(core_trial.c.supplier == supplier, core_trial.c.sha256 == trial.sha256)
        .order_by(core_trial.c.trial_id.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and last.findings_digest == digest:
        return int(last.trial_id)
    trial_id = take_id(connection, "trial")
    connection.execute(
        sa.insert(core_trial).values(
            trial_id=trial_id, supplier=supplier, sha256=trial.sha256, name=trial.name, bytes=trial.bytes,
            state=trial.state, is_ready=trial.is_ready, reason=trial.found.rejected or None, findings_digest=digest,
            **about, **{name: trial.found.counts[name] for name in COUNTS},
        )
    )  # fmt: skip
    records = _records(trial.delivery_id).add_columns(sa.literal(trial_id).label("trial_id"))
    connection.execute(sa.insert(core_trial_record).from_select([*_RECORD_COLUMNS, "trial_id"], records))
    english = standard_book().source
    rows = [
        (seq, each.rule, each.is_met, each.is_needed, each.words(english))
        for seq, each in enumerate(trial.checks, start=1)
    ]
    columns = ("seq", "rule", "is_met", "is_needed", "reason")
    bulk_insert(connection, core_trial_check, columns, rows, {"trial_id": trial_id})
    return trial_id


def digest_of(connection: Connection, trial: Trial) -> str:
    """Of everything that was found about a file, without ids and instants."""
    digest = hashlib.sha256(f"{trial.state}\0{trial.found.rejected}".encode())
    for each in trial.checks:
        digest.update(f"\n{each.rule}\0{each.is_met}\0{each.detail}\0{sorted(each.values.items())}".encode())
    records = _records(trial.delivery_id).subquery("records")
    columns = [records.c[name] for name in ("position", "part", "record_type", "outcome", "rule", "sigel")]
    rows = connection.execute(
        sa.select(*columns).order_by(records.c.position, records.c.part),
        execution_options={"yield_per": _ROWS_AT_ONCE},
    )
    for row in rows:
        digest.update("\0".join(map(str, row)).encode("utf-8", "backslashreplace") + b"\n")
    return digest.hexdigest()
