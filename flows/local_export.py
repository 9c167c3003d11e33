"""What changed in the catalogue goes to the libraries' local systems: a file a profile, every night."""

from __future__ import annotations

from datetime import datetime

from flows.pipeline import pipeline
from tasks.exports.report import ExportReport
from tasks.exports.stages import archive_exports, choose_profiles, preview_files, send_files, summarise_exports


@pipeline(name="local-export", run_name="local-export", timeout_seconds=6 * 3600, turn_at="local-export")
def local_export(
    profile: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    dry_run: bool = False,
    patience_seconds: int = 0,
) -> ExportReport:
    """Send each profile what changed since its last file; with a window, send one profile a past one again."""
    profiles = choose_profiles(profile, since, until)
    if dry_run:
        return summarise_exports((), preview_files(profiles, since, until))
    exports = send_files(profiles, since, until)
    archive_exports()
    return summarise_exports(exports)
