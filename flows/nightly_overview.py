"""How the night went, for people: a page, an artifact; and the old files that nobody needs any more go."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.landing.stages import remove_old_files
from tasks.quality.stages import write_overview


@pipeline(name="nightly-overview", run_name="nightly-overview", timeout_seconds=1800)
def nightly_overview() -> dict[str, int]:
    """Make the overview of last night, and remove files made for people that are older than the register keeps."""
    found = write_overview()
    removed = remove_old_files()
    return dict(found + removed)
