"""What ingest is measured against, in the same run on the same file."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import sqlalchemy as sa

from schemas.warehouse import core, raw
from tasks.warehouse.bulk import bulk_insert
from tasks.warehouse.engine import connect

_PARSE = """
import sys, time, pymarc
start = time.perf_counter()
with open(sys.argv[1], "rb") as stream:
    for record in pymarc.MARCReader(stream, to_unicode=True):
        pass
print(time.perf_counter() - start)
"""


def pymarc_seconds(path: Path) -> float:
    """Seconds that pymarc alone needs to parse the file, in a process of its own; the better of two."""
    runs = [
        subprocess.run([sys.executable, "-c", _PARSE, str(path)], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    return min(float(each.stdout) for each in runs)


def yaz_seconds(path: Path) -> float | None:
    """Seconds of `yaz-marcdump -n`, or None where it is not installed (Debian package yaz)."""
    if shutil.which("yaz-marcdump") is None:
        return None
    start = time.perf_counter()
    subprocess.run(["yaz-marcdump", "-n", str(path)], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


LASTING = (
    raw.raw_record, core.core_bib, core.core_bib_isbn, core.core_bib_identifier, core.core_holding,
    core.core_holding_line, core.core_outcome, core.core_match,
)  # fmt: skip


def bulk_seconds(url: str, folder: Path) -> float:
    """Seconds to bulk load the rows that the delivery left, with their indexes, into empty tables: writing alone."""
    source = connect(url)
    tables = [(table, _rows(source.engine, table)) for table in LASTING]
    target_file = folder / "bulk-limit.db"
    target_file.unlink(missing_ok=True)
    if source.is_postgresql:
        with source.write() as connection:
            connection.exec_driver_sql("CREATE SCHEMA limit_of_loading")
        target = connect(url + ("&" if "?" in url else "?") + "options=-csearch_path%3Dlimit_of_loading")
    else:
        target = connect(f"sqlite:///{target_file}")
    with target.write() as connection:
        core.metadata.create_all(connection, tables=[table for table, _rows_of in tables])
    start = time.perf_counter()
    for table, rows in tables:
        with target.write() as connection:
            bulk_insert(connection, table, [column.name for column in table.columns], rows)
    seconds = time.perf_counter() - start
    if source.is_postgresql:
        with source.write() as connection:
            connection.exec_driver_sql("DROP SCHEMA limit_of_loading CASCADE")
    target.dispose()
    source.dispose()
    target_file.unlink(missing_ok=True)
    return seconds


def _rows(engine: sa.Engine, table: sa.Table) -> list[tuple[object, ...]]:
    """Rows of the last delivery; of tables that do not say whose a row is, all of them."""
    column = table.c.get("delivery_id")
    if column is None:
        column = table.c.get("origin_delivery_id")
    statement = sa.select(table)
    if column is not None:
        statement = statement.where(column == sa.select(sa.func.max(raw.raw_delivery.c.delivery_id)).scalar_subquery())
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(statement)]
