"""What a run of onboarding did, for whoever started it and for the page of the run; no personal data in either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tasks.notices.wording import standard_book
from tasks.suppliers.checklist import Check, is_ready
from tasks.suppliers.comparing import Finding
from tasks.suppliers.customers_file import RowFault
from tasks.suppliers.trials import Trial


class TrialLine(NamedTuple):
    """One test file. `trial_id` is None in a dry run."""

    trial_id: int | None
    name: str
    state: str
    is_ready: bool
    reason: str
    counts: dict[str, int]


class CheckLine(NamedTuple):
    """One rule of the checklist over all files of the run, in English."""

    rule: str
    is_met: bool
    is_needed: bool
    reason: str


class TrialReport(dict[str, int]):
    """Totals of a run of test deliveries, with a line a file, the checklist, and what was known before.

    `known` are files that have been loaded for real: their deliveries by name.
    """

    def __init__(
        self, lines: Iterable[TrialLine] = (), checks: Iterable[Check] = (), known: Mapping[str, int] | None = None
    ) -> None:
        self.lines = list(lines)
        self.known = dict(known or {})
        english, all_checks = standard_book().source, tuple(checks)
        self.checks = [CheckLine(each.rule, each.is_met, each.is_needed, each.words(english)) for each in all_checks]
        self.is_ready = bool(self.lines) and is_ready(all_checks)
        totals = Counter({"files": len(self.lines), "ready": int(self.is_ready)})
        for each in self.lines:
            totals["files rejected"] += each.state == "rejected"
            totals.update({name.replace("_", " "): each.counts[name] for name in _TOTALS})
        super().__init__({name: number for name, number in totals.items() if number or name == "ready"})


_TOTALS = ("bibs_read", "holdings_read", "records_unreadable", "bibs_rejected", "holdings_refused", "bibs_review")


def line_of(trial: Trial, trial_id: int | None) -> TrialLine:
    """The line of a test file."""
    counts = {name: int(number) for name, number in trial.found.counts.items()}
    return TrialLine(trial_id, trial.name, trial.state, trial.is_ready, trial.found.rejected, counts)


def trial_as_markdown(supplier: str, report: TrialReport) -> str:
    """The run's artifact: the files, then the checklist."""
    verdict = "everything that is needed is in order" if report.is_ready else "not in order yet"
    lines = [f"**{supplier}**: {verdict}. Nothing was loaded.", ""]
    lines += ["| file | bibs | created | replaced | kept | review | rejected | holdings | refused | unreadable |"]
    lines += ["|---|" + "---:|" * 9]
    names = ("read", "created", "replaced", "kept", "review", "rejected")
    for each in report.lines[:_MOST_LINES]:
        bibs = " | ".join(str(each.counts[f"bibs_{name}"]) for name in names)
        rest = " | ".join(
            str(each.counts[name]) for name in ("holdings_read", "holdings_refused", "records_unreadable")
        )
        lines.append(f"| {_cell(each.name)} | {bibs} | {rest} |")
    lines += ["", "| rule | | what was found |", "|---|---|---|"]
    marks = {(True, True): "yes", (True, False): "yes", (False, True): "**no**", (False, False): "remark"}
    lines += [
        f"| `{each.rule}` | {marks[each.is_met, each.is_needed]} | {_cell(each.reason)} |" for each in report.checks
    ]
    return "\n".join(lines)


_MOST_LINES = 100


class CustomersReport(dict[str, int]):
    """Totals of a run about customers, with what was wrong with rows, and what does not agree."""

    def __init__(
        self,
        counts: Mapping[str, int],
        faults: Mapping[str, Sequence[RowFault]],
        findings: Sequence[Finding],
        never: Sequence[str],
        reports: Sequence[int] = (),
    ) -> None:
        self.faults = {name: list(each) for name, each in faults.items()}
        self.findings = list(findings)
        self.never = list(never)
        self.reports = list(reports)
        super().__init__({name: number for name, number in counts.items() if number} | {"findings": len(findings)})


def customers_as_markdown(report: CustomersReport) -> str:
    """The run's artifact: what does not agree, by supplier, and what was wrong with files."""
    lines = ["| supplier | library | rule | holdings | |", "|---|---|---|---:|---|"]
    lines += [
        f"| {each.supplier} | {_cell(each.sigel)} | `{each.rule}` | {each.holdings} | {each.reason} |"
        for each in report.findings[:_MOST_LINES]
    ]
    if not report.findings:
        lines = ["Customers, register and holdings agree."]
    elif len(report.findings) > _MOST_LINES:
        lines += ["", f"{len(report.findings) - _MOST_LINES} more are in `out_customer_finding`."]
    if report.never:
        lines += ["", f"No customers reported by: {', '.join(report.never)}."]
    for name, faults in report.faults.items():
        lines += ["", f"{_cell(name)}: {len({each.line for each in faults})} rows were not taken."]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
