"""A library applies to take part: checked rule by rule, entered in the register when all hold, welcomed; taken back."""

from __future__ import annotations

from typing import Literal

from flows.pipeline import pipeline
from tasks.joining.report import ApplicantReport
from tasks.joining.stages import admit_applicant, check_applicant, show_applicant, withdraw_applicant
from tasks.notices.stages import send_notices

Step = Literal["check", "admit", "withdraw"]


@pipeline(
    name="library-onboarding", run_name="library-onboarding-{step}", timeout_seconds=900, turn_at="library-onboarding"
)
def library_onboarding(
    application: str,
    name: str = "application.toml",
    step: Step = "check",
    by: str = "operator",
    reason: str = "",
    dry_run: bool = False,
    patience_seconds: int = 0,
) -> ApplicantReport:
    """Check an applicant against the rules of its participation; admit it when all hold, or take that back."""
    if step == "withdraw":
        report = withdraw_applicant(application, by, reason, dry_run)
    else:
        report = check_applicant(application, name, dry_run)
    if step == "admit":
        report = admit_applicant(report, application, name, by, dry_run)
    if step != "check" and not dry_run:
        send_notices()
    return show_applicant(report)
