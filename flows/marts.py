"""What the warehouse promises to say, as Parquet files by day for analysts."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.marts.stages import write_marts


@pipeline(name="marts", run_name="marts", timeout_seconds=2 * 3600)
def marts() -> dict[str, int]:
    """Write the day's snapshot of the promised views; patrons and accounts are counted only."""
    return dict(write_marts())
