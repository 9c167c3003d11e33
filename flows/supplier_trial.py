"""A supplier's test deliveries are tried and reported on: the way in before the first real load."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.catalogue.stages import stage_records
from tasks.matching.stages import match_on_isbn
from tasks.notices.stages import send_notices
from tasks.quality.stages import check_deliveries
from tasks.suppliers.report import TrialReport
from tasks.suppliers.stages import put_away, receive_tests, report_tests, try_loading


@pipeline(name="supplier-trial", run_name="{supplier}", timeout_seconds=4 * 3600, turn_at="supplier:{supplier}")
def supplier_trial(supplier: str, uris: list[str], dry_run: bool = False, patience_seconds: int = 0) -> TrialReport:
    """Take a supplier's test files through the whole pipeline, load nothing, and report what would become of them.

    `uris` are files in the landing zone. The supplier gets the report by e-mail; a dry run sends and keeps nothing.
    """
    files = receive_tests(supplier, uris)
    stage_records(files.deliveries)
    check_deliveries(files.deliveries)
    match_on_isbn(files.deliveries)
    guards = try_loading(supplier, files.deliveries)
    report = report_tests(supplier, files, guards, dry_run=dry_run)
    put_away(supplier, uris, only_copies=dry_run)
    send_notices()
    return report
