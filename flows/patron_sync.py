"""Persons of an institution: its nightly file becomes changes to patrons, and what staff wrote stays."""

from __future__ import annotations

from flows.pipeline import pipeline
from schemas.summaries import PatronSummary
from tasks.landing.stages import forget_preview
from tasks.library_systems.stages import take_read_back, write_out
from tasks.notices.stages import notify_patrons, send_notices
from tasks.patrons.stages import (
    apply_changes,
    check_changes,
    check_file,
    plan_changes,
    preview_changes,
    prove_rows,
    receive_files,
    settle_file,
    stage_persons,
    summarise_files,
)


@pipeline(name="patron-sync", run_name="{source}", timeout_seconds=4 * 3600, turn_at="patron:{source}")
def patron_sync(
    source: str, uris: list[str], dry_run: bool = False, again: bool = False, patience_seconds: int = 0
) -> list[PatronSummary]:
    """Merge the waiting files of a patron source, the oldest day first, into what staff and other sources have written.

    `uris` are files in the landing zone; with none, what an earlier run left is taken up. A dry run plans everything
    and changes nothing; `again` takes a file that was reverted. One run a source at a time.
    """
    files = receive_files(source, uris, again=again, dry_run=dry_run)
    if not dry_run:
        take_read_back(source)  # what staff have written since, before anything is planned
    for file in files:  # each night is planned from what the night before it has left
        stage_persons(file)
        check_file(file)  # what its sender did not promise waits, as a whole
        plan_changes(file)
        check_changes(file)  # so does what changes a field of too many
        if not dry_run:
            apply_changes(file)  # a class of change over its limit waits, the others go on
            prove_rows(file)
            settle_file(file)
    if dry_run:
        found = preview_changes(files)
        forget_preview(files, uris)
        return summarise_files(source, files, found)
    notify_patrons(files, source)
    write_out(source)
    send_notices()
    return summarise_files(source, files)
