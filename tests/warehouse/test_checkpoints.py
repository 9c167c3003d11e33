"""SQLite's log is brought into the file beside the work: what is committed gets there, and nobody waits for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tasks.warehouse.checkpoints import BESIDE_FROM_BYTES, THREAD, checkpoint_beside
from tasks.warehouse.engine import Warehouse, connect


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty SQLite file with a table for bytes."""
    warehouse = connect(f"sqlite:///{tmp_path / 'log.db'}")
    with warehouse.write() as connection:
        connection.exec_driver_sql("CREATE TABLE piece (content BLOB)")
    return warehouse


def write(warehouse: Warehouse, size: int) -> None:
    with warehouse.write() as connection:
        connection.execute(sa.text("INSERT INTO piece VALUES (zeroblob(:size))"), {"size": size})


def under_way() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == THREAD]


def file_grows_to(file: Path, size: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while file.stat().st_size < size and time.monotonic() < deadline:
        time.sleep(0.01)
    return file.stat().st_size >= size


def test_a_large_log_gets_into_the_file_while_a_transaction_writes(warehouse: Warehouse, tmp_path: Path) -> None:
    write(warehouse, BESIDE_FROM_BYTES)
    before = (tmp_path / "log.db").stat().st_size
    with warehouse.write() as connection:
        connection.exec_driver_sql("INSERT INTO piece VALUES (x'00')")
        checkpoint_beside(warehouse.engine)
        assert file_grows_to(tmp_path / "log.db", before + BESIDE_FROM_BYTES, seconds=20)
    with warehouse.read() as connection:
        assert connection.exec_driver_sql("SELECT sum(length(content)) FROM piece").scalar() == BESIDE_FROM_BYTES + 1
    warehouse.dispose()


def test_a_small_log_is_left_to_sqlite(warehouse: Warehouse) -> None:
    write(warehouse, BESIDE_FROM_BYTES // 4)
    checkpoint_beside(warehouse.engine)
    assert under_way() == []
    warehouse.dispose()


def test_after_a_checkpoint_there_is_a_pause(warehouse: Warehouse) -> None:
    write(warehouse, BESIDE_FROM_BYTES)
    checkpoint_beside(warehouse.engine)
    (thread,) = under_way()
    thread.join(timeout=20)
    checkpoint_beside(warehouse.engine)
    assert under_way() == []
    warehouse.dispose()


def test_a_warehouse_that_was_removed_does_not_come_back(warehouse: Warehouse, tmp_path: Path) -> None:
    write(warehouse, BESIDE_FROM_BYTES)
    (tmp_path / "log.db").unlink()
    checkpoint_beside(warehouse.engine)
    for each in under_way():
        each.join(timeout=20)
    assert not (tmp_path / "log.db").exists()
    warehouse.dispose()
