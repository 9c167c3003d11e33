"""Data Docs: pages that show a person how deliveries did against the declared expectations, by Great Expectations.

Importing Great Expectations takes seconds and 200 MiB, so it runs once for all deliveries at hand, in a child process
(docs_pages.py), after the load. Pages are for people: when they cannot be made nothing else fails.
Decision: docs/decisions/0001-quality-gate.md.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.expectations import EXPECTATION_BY_KEY, EXPECTATIONS
from schemas.warehouse.raw import raw_check, raw_delivery
from tasks.quality.judged import BY_REGISTER, Judged, Pairs, read_judged
from tasks.warehouse.bulk import id_set

CHILD_MODULE = "tasks.quality.docs_pages"
PROJECT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 900.0


@dataclass(frozen=True)
class DocsDelivery:
    """One delivery as the child process gets it.

    `counts` holds, by row set, pairs of a row's values and a number; `unexpected` what the gate found: by key of the
    expectation how many rows failed, and of how many.
    """

    delivery_id: int
    name: str
    sha256: str
    received_at: str
    is_small: bool
    unexpected: dict[str, tuple[int, int]]
    counts: dict[str, Pairs]


@dataclass(frozen=True)
class DocsRequest:
    """What the pages of deliveries of one supplier, judged by the same, are made from. Nothing in it is a secret."""

    supplier: str
    supplier_name: str
    min_records_to_judge: int
    limits: dict[str, float]
    allowed: dict[str, list[str]]
    deliveries: list[DocsDelivery]


@dataclass(frozen=True)
class DataDocs:
    """Pages by delivery id (URIs of files), an index page for each request, and in words what could not be made."""

    uris: Mapping[int, str] = field(default_factory=dict)
    index_uris: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def docs_requests(
    connection: Connection, delivery_ids: Collection[int], names: Mapping[str, str], zone: ZoneInfo
) -> list[DocsRequest]:
    """What the pages of these deliveries need, from the ledger alone; `names` are of suppliers, by code.

    Deliveries that the gate has not judged are left out. Those that were judged by other limits, or another register,
    come in a request of their own: a page says what the gate said.
    """
    wanted = id_set(connection, delivery_ids)
    columns = ("delivery_id", "sender", "name", "sha256", "received_at", "check_tally")
    rows = connection.execute(
        sa.select(*(raw_delivery.c[name] for name in columns))
        .where(raw_delivery.c.delivery_id.in_(sa.select(wanted.c.value)), raw_delivery.c.check_tally.is_not(None))
        .order_by(raw_delivery.c.sender, raw_delivery.c.delivery_id)
    )
    unexpected = _unexpected(connection, delivery_ids)
    groups: list[_Group] = []
    for row in rows:
        kept = read_judged(row.check_tally)
        group = next((each for each in groups if each.takes(row.sender, kept)), None)
        if group is None:
            group = _Group(row.sender, kept)
            groups.append(group)
        group.add(_delivery(row, kept, unexpected.get(row.delivery_id, {}), zone), kept)
    return [each.request(names.get(each.sender, each.sender)) for each in groups]


class _Group:
    """Deliveries that one suite of expectations can judge."""

    def __init__(self, sender: str, first: Judged) -> None:
        self.sender = sender
        self._first = first
        self._deliveries: list[DocsDelivery] = []
        self._accepted: dict[str, set[str]] = {each.key: set() for each in BY_REGISTER}
        self._refused: dict[str, set[str]] = {each.key: set() for each in BY_REGISTER}

    def takes(self, sender: str, kept: Judged) -> bool:
        by = (self._first.limits, self._first.min_records_to_judge)
        if sender != self.sender or (kept.limits, kept.min_records_to_judge) != by:
            return False
        return all(
            accepted.isdisjoint(self._refused[key]) and self._accepted[key].isdisjoint(kept.refused[key])
            for key, accepted in kept.accepted().items()
        )

    def add(self, delivery: DocsDelivery, kept: Judged) -> None:
        self._deliveries.append(delivery)
        for key, accepted in kept.accepted().items():
            self._accepted[key] |= accepted
            self._refused[key].update(kept.refused[key])

    def request(self, supplier_name: str) -> DocsRequest:
        declared = {each.key: sorted(each.allowed) for each in EXPECTATIONS if isinstance(each.allowed, tuple)}
        return DocsRequest(
            supplier=self.sender,
            supplier_name=supplier_name,
            min_records_to_judge=self._first.min_records_to_judge,
            limits=self._first.limits,
            allowed=declared | {key: sorted(values) for key, values in self._accepted.items()},
            deliveries=self._deliveries,
        )


def _unexpected(connection: Connection, delivery_ids: Collection[int]) -> dict[int, dict[str, tuple[int, int]]]:
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for row in connection.execute(
        sa.select(raw_check).where(
            raw_check.c.delivery_id.in_(sa.select(id_set(connection, delivery_ids).c.value)), raw_check.c.unexpected > 0
        )
    ):
        found.setdefault(row.delivery_id, {})[row.expectation] = (row.unexpected, row.elements)
    order = list(EXPECTATION_BY_KEY)
    return {each: dict(sorted(some.items(), key=lambda item: order.index(item[0]))) for each, some in found.items()}


def _delivery(row: sa.Row[Any], kept: Judged, unexpected: dict[str, tuple[int, int]], zone: ZoneInfo) -> DocsDelivery:
    return DocsDelivery(
        delivery_id=row.delivery_id,
        name=row.name,
        sha256=row.sha256,
        received_at=on_the_clock(row.received_at, zone),
        is_small=kept.is_small,
        unexpected=unexpected,
        counts=kept.counts,
    )


def on_the_clock(at: datetime, zone: ZoneInfo) -> str:
    """An instant as the clock on the wall shows it, to the minute, with the zone's short name."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def write_data_docs(
    requests: Sequence[DocsRequest],
    folder: Path,
    run_name: str,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> DataDocs:
    """Write the pages below `folder/<supplier>/` in one child process; never raises for what goes wrong there.

    A delivery that is large enough to be held has a page of its own; smaller ones of a request share one, judged
    together. The folder of a request is named after its content, so the same again is written over; `run_name` is
    what the pages say about when they were made.
    """
    if not requests:
        return DataDocs()
    targets = [folder / each.supplier / _folder_name(each) for each in requests]
    sites = [
        {"folder": str(target), "run_name": run_name, "request": asdict(request)}
        for target, request in zip(targets, requests, strict=True)
    ]
    try:
        for target in targets:
            target.mkdir(parents=True, exist_ok=True)
        child = subprocess.run(
            [sys.executable, "-m", CHILD_MODULE],
            input=orjson.dumps(sites),
            capture_output=True,
            timeout=timeout_seconds,
            env=_environment(),
            cwd=PROJECT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        why = f"Great Expectations did not finish within {timeout_seconds:g} s"
        return _made(targets, late.stdout or b"", why)
    except OSError as error:
        return _made([], b"", str(error))
    last_words = " ".join(child.stderr.decode(errors="replace").strip().splitlines()[-1:])
    why = f"Great Expectations ended with code {child.returncode}: {last_words}" if child.returncode else ""
    return _made(targets, child.stdout, why)


def _environment() -> dict[str, str]:
    """No telemetry, no progress bars, and the project importable wherever the parent was started."""
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "GX_ANALYTICS_ENABLED": "false",
        "TQDM_DISABLE": "1",
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8",
    }


def _made(targets: Sequence[Path], answer: bytes, why: str) -> DataDocs:
    """What the child told, a line a request; a line that is missing or cut short was not made, for the reason `why`."""
    uris: dict[int, str] = {}
    indexes: list[str] = []
    problems = [_in_words(why)] if why else []
    for target, line in zip(targets, answer.splitlines(), strict=False):
        try:
            told: dict[str, Any] = orjson.loads(line)
            uris |= {int(delivery_id): (target / page).as_uri() for delivery_id, page in told["pages"].items()}
            indexes += [(target / "index.html").as_uri()] if told["pages"] else []
            problems += told["problems"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problems += [] if why else [_in_words(f"the answer of Great Expectations cannot be read: {error}")]
    return DataDocs(uris, tuple(indexes), tuple(problems))


def _in_words(cause: str) -> str:
    return f"the Data Docs could not be written: {cause} (the load is not affected)"


def _folder_name(request: DocsRequest) -> str:
    content = hashlib.sha256(orjson.dumps(asdict(request))).hexdigest()
    return f"{request.deliveries[0].received_at[:10]}-{content[:8]}"
