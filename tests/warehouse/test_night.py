"""The sample night, every trap of the reference in it, held against its manifest record by record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from deployments.sample.catalogue import write_catalogue
from deployments.sample.night import write_night
from schemas.warehouse.raw import raw_delivery, raw_delivery_name
from tasks.warehouse.engine import Warehouse
from tasks.workplace import Workplace
from tests.warehouse.overview_checks import assert_the_page_tells_the_night
from tests.warehouse.pipeline import load_catalogue, sweep

SEED = 1
BIBS = 300
EXPECTATIONS = 377


def test_every_record_of_the_night_ends_as_the_manifest_says(place: Workplace, tmp_path: Path) -> None:
    load_catalogue(place, write_catalogue(tmp_path / "catalogue", SEED, BIBS))
    manifest_file = tmp_path / "night.json"
    write_night(Path(place.settings.landing_url) / "incoming", SEED, manifest=manifest_file)
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    sweep(place)
    found = Found(place.warehouse)
    wrong = [fault for file in manifest["files"] for fault in found.faults(file)]
    assert not wrong, "\n".join(wrong)
    assert sum(len(file["records"]) for file in manifest["files"]) == EXPECTATIONS
    assert found.checked == EXPECTATIONS
    assert_the_page_tells_the_night(place)


class Found:
    """What the warehouse says of the night, looked up file by file; `checked` counts expectations held against it."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.checked = 0

    def faults(self, file: dict[str, Any]) -> list[str]:
        """What is not as the manifest says, in words."""
        shown = f"{file['supplier']}/{file['name']} ({file['shows']})"
        with self.warehouse.read() as connection:
            row = connection.execute(
                sa.select(raw_delivery, raw_delivery_name.c.is_repeat)
                .join(raw_delivery_name, raw_delivery_name.c.delivery_id == raw_delivery.c.delivery_id)
                .where(raw_delivery.c.sender == file["supplier"], raw_delivery_name.c.name == file["name"])
            ).one_or_none()
            if row is None:
                return [f"{shown}: no delivery"]
            if file.get("resent_of"):
                return [] if row.is_repeat and row.name == file["resent_of"] else [f"{shown}: not recognised"]
            faults = []
            if row.is_repeat or (file["states"] and row.state not in file["states"]):
                faults.append(f"{shown}: is {row.state} ({row.hold_reason}), expected {file['states']}")
            records = {
                (each.position, each.part): each
                for each in connection.exec_driver_sql(
                    "SELECT r.*, b.control_number FROM out_record r LEFT JOIN out_bib b ON b.bib_id = r.bib_id"
                    f" WHERE delivery_id = {row.delivery_id}"
                )
            }
            listed = {(each["position"], each["part"]) for each in file["records"]}
            if file["records"] and records.keys() - listed:
                faults.append(f"{shown}: records that nobody expects: {sorted(records.keys() - listed)}")
            for expected in file["records"]:
                self.checked += 1
                place = (expected["position"], expected["part"])
                fault = self._fault(expected, records.get(place), row.state)
                if fault:
                    faults.append(f"{shown}: {place} {expected.get('shows')}: {fault}")
        return faults

    def _fault(self, expected: dict[str, Any], record: Any, state: str) -> str:
        if record is None:
            # A file that was rejected before it was read has no records; the file itself is in quarantine.
            return "" if state == "rejected" and set(expected["outcomes"]) <= {"rejected"} else "no such record"
        if record.record_type != expected["kind"]:
            return f"is a {record.record_type}, expected {expected['kind']}"
        if state == "held":
            return f"{record.outcome}, though its delivery is held" if record.outcome else ""
        if expected["outcomes"] and record.outcome not in expected["outcomes"]:
            return f"{record.outcome} by {record.rule} ({record.reason}), expected {expected['outcomes']}"
        if expected["kind"] == "unreadable" and not record.reason:
            return "unreadable without a reason"
        if expected["kind"] == "holding" and expected.get("sigel") and record.outcome != "rejected":
            return "" if record.sigel == expected["sigel"] else f"sigel {record.sigel}, expected {expected['sigel']}"
        is_met = record.outcome in ("kept", "replaced") and expected.get("meets")
        if is_met and record.control_number != expected["meets"]:
            return f"met {record.control_number}, expected {expected['meets']}"
        title = " ".join(expected.get("title", "").split())
        if record.outcome == "created" and title not in record.title:
            return f"title {record.title!r}, expected {title!r}"
        return ""
