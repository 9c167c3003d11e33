"""What a run of library-onboarding found and did, for whoever started it and for the page of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tasks.joining.freshness import Freshness
from tasks.joining.rules import Check, Verdict, is_eligible

MARKS = {Verdict.MET: "met", Verdict.UNMET: "**not met**", Verdict.NOT_ASKED: "not asked"}


class ApplicantReport(dict[str, int]):
    """Totals of a run, with the applicant, its checklist and its entry in the register.

    `state` is that of `core_library_application`; of a dry run `eligible` or `refused`. `remarks` are sentences about
    what was done, or would be.
    """

    def __init__(
        self,
        sigel: str,
        name: str,
        state: str,
        checks: Sequence[Check] = (),
        *,
        application_id: int | None = None,
        entry: str = "",
        entry_file: str = "",
        remarks: Sequence[str] = (),
        counts: Iterable[tuple[str, int]] = (),
    ) -> None:
        self.sigel, self.name, self.state = sigel, name, state
        self.checks = tuple(checks)
        self.application_id = application_id
        self.entry, self.entry_file = entry, entry_file
        self.remarks = tuple(remarks)
        rules = Counter(f"rules {each.verdict.replace('_', ' ')}" for each in self.checks)
        super().__init__({**rules, **dict(counts), state: 1})

    @property
    def is_eligible(self) -> bool:
        """Whether every rule that is asked is met."""
        return is_eligible(self.checks)

    @property
    def unmet(self) -> tuple[Check, ...]:
        """The rules that are not met."""
        return tuple(each for each in self.checks if each.verdict == Verdict.UNMET)

    def become(
        self, state: str, remarks: Sequence[str], entry: str = "", entry_file: str = "", **counts: int
    ) -> ApplicantReport:
        """The same applicant further on."""
        return ApplicantReport(
            self.sigel, self.name, state, self.checks, application_id=self.application_id,
            entry=entry or self.entry, entry_file=entry_file or self.entry_file,
            remarks=(*self.remarks, *remarks), counts=counts.items(),
        )  # fmt: skip


def as_markdown(report: ApplicantReport) -> str:
    """The checklist as the artifact of the run."""
    rows = [
        f"| `{each.rule}` | {MARKS[each.verdict]} | {_cell(each.reason)} | {_cell(each.remedy)} |"
        for each in report.checks
    ]
    table = ["| rule | | why | what to do |", "|---|---|---|---|", *rows] if rows else []
    said = [f"**{report.name}** ({report.sigel}): {report.state}.", *report.remarks]
    entry = ["```toml", report.entry.rstrip(), "```"] if report.entry else []
    return "\n".join([*said, "", *table, "", *entry]).strip() + "\n"


def freshness_markdown(found: Sequence[Freshness], limit_months: int) -> str:
    """Registering libraries by how long nothing has moved, as the artifact of the check."""
    stale = sum(each.is_stale for each in found)
    rows = [
        f"| {'**stands still**' if each.is_stale else ''} | {each.sigel} | {_cell(each.name)} "
        f"| {each.last_moved_on or 'never'} | {each.months_still} | {each.holdings:,} |"
        for each in found
    ]
    head = ["| | sigel | library | last moved | months | holdings |", "|---|---|---|---|---:|---:|"]
    said = f"{stale} of {len(found)} registering libraries stand still: nothing has moved for {limit_months} months."
    return "\n".join([said, "", *head, *rows])


def _cell(text: str) -> str:
    return text.replace("|", "/")
