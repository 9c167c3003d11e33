"""Every real file goes through the whole pipeline: conservation proved, no crash, nothing lost silently.

The files are in `../shared/data` (see tests/conftest.py) and are never copied into the project.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.warehouse.raw import raw_delivery, raw_member, raw_record
from tasks.warehouse.engine import Warehouse
from tests.warehouse.conftest import OpenHome
from tests.warehouse.pipeline import ingest

FOLDERS = ("marc-bib", "marc-holdings", "marc-bad")
SOME, FEWER = 8, 24
"""In `make test` every eighth file, on PostgreSQL every 24th: a file costs some twenty commits. The integration set
takes all of them, and every eighth on PostgreSQL."""

SUPPLIERS = """
[[supplier]]
code = "REAL"
name = "Real files"
contact = "real@files.example"
agreement_from = 2020-01-01
level_ceiling = " "
[supplier.quality]
min_readable_share = 0
min_title_share = 0
min_isbn_share = 0
min_valid_isbn_share = 0
min_known_sigel_share = 0
min_known_level_share = 0
max_size_factor = 1e9
"""
GUARDS = """
[flows.supplier-ingest.bib_replace]
at_least = 1000000
"""


@pytest.fixture
def register(tmp_path: Path) -> Path:
    """A register that lets everything in: what is tried here is the reading and the counting."""
    from config.settings import SAMPLE_REGISTER

    folder = tmp_path / "register"
    folder.mkdir()
    (folder / "suppliers.toml").write_text(SUPPLIERS, encoding="utf-8")
    (folder / "guards.toml").write_text(GUARDS, encoding="utf-8")
    for name in ("levels.toml", "catalogue.toml"):
        (folder / name).write_text((SAMPLE_REGISTER / name).read_text(encoding="utf-8"), encoding="utf-8")
    libraries = (SAMPLE_REGISTER / "libraries.toml").read_text(encoding="utf-8")
    kept = [line for line in libraries.splitlines() if not line.startswith("suppliers")]
    (folder / "libraries.toml").write_text("\n".join(kept), encoding="utf-8")
    return folder


def real_files(shared_data: Path) -> list[Path]:
    return sorted(file for folder in FOLDERS for file in (shared_data / folder).rglob("*") if file.is_file())


def take_in(open_home: OpenHome, url: str, home: Path, register: Path, files: list[Path]) -> Warehouse:
    place = open_home(url, home, register_folder=register, today="2025-03-14")
    uris = [place.zone.put(f"incoming/REAL/{number:04d}-{file.name}", file.read_bytes())
            for number, file in enumerate(files)]  # fmt: skip
    ingest("REAL", uris)
    return place.warehouse


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("warehouse_url", "every"),
    [
        ("sqlite", SOME),
        ("postgresql", FEWER),
        pytest.param("sqlite", 1, marks=pytest.mark.integration),
        pytest.param("postgresql", SOME, marks=pytest.mark.integration),
    ],
    indirect=["warehouse_url"],
)
def test_every_real_file_ends_settled_or_rejected_with_a_reason_and_adds_up(
    shared_data: Path,
    open_home: OpenHome,
    warehouse_url: str,
    every: int,
    tmp_path: Path,
    register: Path,
) -> None:
    files = real_files(shared_data)
    assert len(files) > 1_400
    files = files[::every]
    used = take_in(open_home, warehouse_url, tmp_path / "home", register, files)
    with used.read() as connection:
        rows = connection.execute(sa.select(raw_delivery)).all()
        repeats = len(files) - len(rows)
        pieces = connection.execute(sa.select(sa.func.sum(raw_member.c.pieces))).scalar_one()
        records = connection.execute(sa.select(sa.func.count()).select_from(raw_record)).scalar_one()
        offsets = connection.execute(
            sa.select(sa.func.count()).where(
                raw_record.c.record_type == "unreadable", sa.func.coalesce(raw_record.c.reason, "") == ""
            )
        ).scalar_one()
    assert {row.state for row in rows} == {"settled", "rejected"}
    assert all(row.hold_reason and "stopped by an error" not in row.hold_reason
               for row in rows if row.state == "rejected")  # fmt: skip
    assert pieces == records
    assert offsets == 0
    assert 0 <= repeats < len(files) // 4
    settled = [row for row in rows if row.state == "settled"]
    assert sum(row.bibs_read + row.records_unreadable for row in settled) > len(settled)
    for row in settled:
        bibs = row.bibs_created + row.bibs_replaced + row.bibs_kept + row.bibs_review + row.bibs_rejected
        assert row.bibs_read == bibs, row.name
