"""Data Docs: pages that show a person how deliveries did against the declared expectations, by Great Expectations.

Importing Great Expectations takes seconds and 200 MiB, so it runs once for a whole batch, in a child process
(docs_pages.py), after the load. Pages are for people: when they cannot be made nothing else fails.
Decision: docs/decisions/0001-quality-gate.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.expectations import EXPECTATIONS
from schemas.register.register import Register
from schemas.register.suppliers import Supplier
from schemas.warehouse.raw import raw_delivery
from tasks.quality.gate import judgement_for
from tasks.quality.tally import Tally, read_tallies
from tasks.warehouse.bulk import id_set

CHILD_MODULE = "tasks.quality.docs_pages"
PROJECT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 900.0
LONGEST_VALUE = 60
"""Longer values are cut on a page. No allowed value is as long, so this never changes what is judged."""


@dataclass(frozen=True)
class DocsDelivery:
    """One delivery as the child process gets it. `counts` holds, by row set, pairs of a row's values and a number."""

    delivery_id: int
    name: str
    sha256: str
    received_at: str
    is_small: bool
    counts: dict[str, list[tuple[list[str | float | None], int]]]


@dataclass(frozen=True)
class DocsRequest:
    """Everything that the pages of a batch of one supplier's deliveries are made from. Nothing in it is a secret."""

    supplier: str
    supplier_name: str
    min_records_to_judge: int
    limits: dict[str, float]
    allowed: dict[str, list[str]]
    deliveries: list[DocsDelivery]


@dataclass(frozen=True)
class DataDocs:
    """Pages by delivery id (URIs of files), the batch's index page, and in words what could not be made."""

    uris: Mapping[int, str] = field(default_factory=dict)
    index_uri: str | None = None
    problems: tuple[str, ...] = ()


def docs_request(
    connection: Connection, delivery_ids: Collection[int], supplier: Supplier, register: Register
) -> DocsRequest:
    """What the pages of these deliveries need. Reads the stage tables, so it comes before they are cleaned."""
    judgement = judgement_for(supplier, register)
    tallies = read_tallies(connection, delivery_ids)
    wanted = id_set(connection, list(tallies))
    rows = connection.execute(
        sa.select(raw_delivery.c.delivery_id, raw_delivery.c.name, raw_delivery.c.sha256, raw_delivery.c.received_at)
        .where(raw_delivery.c.delivery_id.in_(sa.select(wanted.c.value)))
        .order_by(raw_delivery.c.delivery_id)
    )
    smallest = supplier.quality.min_records_to_judge
    return DocsRequest(
        supplier=supplier.code,
        supplier_name=supplier.name,
        min_records_to_judge=smallest,
        limits={each.key: judgement.limit(each) for each in EXPECTATIONS},
        allowed={each.key: sorted(judgement.allowed(each)) for each in EXPECTATIONS if each.rule == "in_set"},
        deliveries=[
            DocsDelivery(
                delivery_id=row.delivery_id,
                name=row.name,
                sha256=row.sha256,
                received_at=f"{row.received_at:%Y-%m-%d %H:%M} UTC",
                is_small=tallies[row.delivery_id].pieces < smallest,
                counts=_as_lists(tallies[row.delivery_id]),
            )
            for row in rows
        ],
    )


def _as_lists(tally: Tally) -> dict[str, list[tuple[list[str | float | None], int]]]:
    return {
        row_set.value: [([_shortened(each) for each in values], number) for values, number in counted.items()]
        for row_set, counted in tally.counts.items()
    }


def _shortened(value: str | float | None) -> str | float | None:
    is_long = isinstance(value, str) and len(value) > LONGEST_VALUE
    return f"{str(value)[:LONGEST_VALUE]}..." if is_long else value


def write_data_docs(
    request: DocsRequest, folder: Path, run_name: str, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> DataDocs:
    """Write the pages to `folder/<supplier>/<run_name>/` in a child process; never raises for what goes wrong there.

    A delivery that is large enough to be held has a page of its own; smaller ones share one, judged together. The
    same batch under the same `run_name` is written over.
    """
    if not request.deliveries:
        return DataDocs()
    target = folder / request.supplier / _as_folder_name(run_name)
    asked = orjson.dumps({"folder": str(target), "run_name": run_name, "request": asdict(request)})
    try:
        target.mkdir(parents=True, exist_ok=True)
        child = subprocess.run(
            [sys.executable, "-m", CHILD_MODULE],
            input=asked,
            capture_output=True,
            timeout=timeout_seconds,
            env=_environment(),
            cwd=PROJECT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _failed(f"Great Expectations did not finish within {timeout_seconds:g} s")
    except OSError as error:
        return _failed(f"{target}: {error}")
    if child.returncode != 0:
        last_words = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return _failed(f"Great Expectations ended with code {child.returncode}: {' '.join(last_words)}")
    return _made(target, child.stdout)


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


def _made(target: Path, answer: bytes) -> DataDocs:
    try:
        told: dict[str, Any] = orjson.loads(answer)
        uris = {int(delivery_id): (target / page).as_uri() for delivery_id, page in told["pages"].items()}
        return DataDocs(uris, (target / "index.html").as_uri(), tuple(told["problems"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return _failed(f"the answer of Great Expectations cannot be read: {error}")


def _failed(cause: str) -> DataDocs:
    return DataDocs(problems=(f"the Data Docs could not be written: {cause} (the load is not affected)",))


def _as_folder_name(run_name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", run_name).strip(".-") or "run"
