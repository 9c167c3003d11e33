"""One night of deliveries, and its manifest: what each file shows and what ought to become of each of its records.

Files go into one folder a supplier, as in the landing zone's `incoming`. The manifest is a JSON file that belongs
outside the landing zone; tests check what the pipeline did against it. docs/sample-consortium.md describes its keys.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deployments.sample.cast import Cast, Drop
from deployments.sample.scenes import compose

SAMPLE_NIGHT = date(2025, 3, 14)
"""The business date of the committed samples and of the demonstration."""


def write_night(
    folder: Path, seed: int, on: date = SAMPLE_NIGHT, manifest: Path | None = None
) -> list[tuple[str, Path, str]]:
    """Write the night's files into `folder`/SUPPLIER and return (supplier, path, what it shows) in their order.

    The union catalogue they meet is `write_catalogue` with the same seed, of any size. `folder` is `incoming` of a
    landing zone; `manifest` is the file to write the manifest to, outside of it, and None for none.
    """
    cast = compose(seed, on)
    written = []
    for place, drop in enumerate(cast.drops):
        file = folder / drop.supplier / drop.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(drop.content)
        _age(file, on, place)
        written.append((drop.supplier, file, drop.shows))
    if manifest is not None:
        manifest.write_text(_one_line_a_record(night_manifest(cast)), encoding="utf-8")
    return written


def night_manifest(cast: Cast) -> dict[str, Any]:
    """The manifest of a composed night, as JSON values; docs/sample-consortium.md describes its keys."""
    return {"seed": cast.seed, "on": cast.on.isoformat(), "files": [_described(drop) for drop in cast.drops]}


def _one_line_a_record(manifest: dict[str, Any]) -> str:
    """JSON that a person can read and a diff can show."""
    files = []
    for file in manifest["files"]:
        head = json.dumps({**file, "records": []}, ensure_ascii=False).removesuffix("]}")
        records = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in file["records"])
        files.append(f" {head}\n  {records}]}}" if records else f" {head}]}}")
    head = json.dumps({**manifest, "files": []}).removesuffix("]}")
    return f"{head}\n" + ",\n".join(files) + "]}\n"


def _described(drop: Drop) -> dict[str, Any]:
    described: dict[str, Any] = {
        "supplier": drop.supplier,
        "name": drop.name,
        "shows": drop.shows,
        "states": list(drop.states),
    }
    if drop.resent_of:
        described["resent_of"] = drop.resent_of
    described["records"] = [
        {key: value for key, value in asdict(each).items() if value not in ("", 0) or key == "part"}
        for each in drop.expected
    ]
    return described


def _age(file: Path, on: date, place: int) -> None:
    """Date the file to the evening of `on`, in the night's order, and at least an hour back.

    A fresh file looks as if it were still being written.
    """
    evening = datetime(on.year, on.month, on.day, 18, tzinfo=UTC).timestamp()
    moment = min(evening, time.time() - 7200) + 37 * place
    os.utime(file, (moment, moment))
