"""Suppliers on the console: how they stand, what a test delivery came to, what does not agree about customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deployments.cli import place
from deployments.cli.deliveries import counts_in_words
from deployments.cli.output import print_table, prose

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from tasks.suppliers.report import CustomersReport, TrialReport
    from tasks.suppliers.showing import SupplierLine, SupplierPage

MOST_SHOWN = 50
_CHECKS = ("met", "rule", "what was found")


def render_trial(console: Console, settings: Settings, report: TrialReport, dry_run: bool) -> None:
    """What test files would come to, the checklist, and the verdict."""
    rows = [
        (
            each.name,
            each.state,
            counts_in_words(each.counts, "bibs"),
            counts_in_words(each.counts, "holdings"),
            each.counts["records_unreadable"] or None,
        )
        for each in report.lines
    ]
    if rows:
        columns = ("file", "state", "bibs", "holdings", "unreadable")
        print_table(console, "What would become of it (nothing was loaded)", columns, rows)
        checks = [(_mark(each.is_met, each.is_needed), each.rule, each.reason) for each in report.checks]
        print_table(console, "Before the first real delivery", _CHECKS, checks, whole=("rule",))
    prose(console, *(each.reason for each in report.lines if each.reason))
    for name, number in report.known.items():
        prose(console, f"{name} was loaded before, as delivery {number}: there is nothing to test")
    if report.lines:
        prose(console, "Everything that is needed is in order." if report.is_ready else "It is not ready yet.")
        if not dry_run and settings.smtp_url is None:
            prose(console, f"E-mails: {settings.outbox}")


def _mark(is_met: bool, is_needed: bool) -> str:
    if is_met:
        return "yes"
    return "NO" if is_needed else "remark"


def render_customers(console: Console, report: CustomersReport, dry_run: bool) -> None:
    """Rows that were not taken, totals, and what does not agree."""
    for name, faults in report.faults.items():
        rows = [(each.line, each.field, each.value, each.cause, each.remedy) for each in faults[:MOST_SHOWN]]
        if rows:
            columns: tuple[str, ...] = ("line", "column", "found", "what is wrong", "what to do")
            print_table(console, f"{name}: rows that were not taken", columns, rows)
    counts = ", ".join(f"{number} {name}" for name, number in report.items() if name != "findings")
    if counts:
        prose(console, f"{counts}." + (" Nothing was kept: a dry run." if dry_run else ""))
    found = [(each.supplier, each.sigel, each.rule, each.holdings or None, each.reason) for each in report.findings]
    if found:
        columns = ("supplier", "sigel", "rule", "holdings", "what does not agree")
        print_table(console, "What does not agree", columns, found[:MOST_SHOWN], whole=("rule",))
        if len(found) > MOST_SHOWN:
            prose(console, f"{len(found) - MOST_SHOWN} more: --json has them, and the view out_customer_finding.")
    else:
        prose(console, "Customers, register and holdings agree.")
    if report.never:
        prose(console, f"No customers reported by: {', '.join(report.never)}")


def render_list(console: Console, settings: Settings, lines: Sequence[SupplierLine]) -> None:
    """A line a supplier."""
    columns = ("code", "name", "agreement", "sandbox", "last test", "customers", "do not agree", "last delivery")
    rows = [
        (
            each.code,
            each.name,
            each.agreement,
            "yes" if each.sandbox else None,
            None if each.is_ready is None else "ready" if each.is_ready else "not ready",
            each.customers or None,
            each.findings or None,
            place.moment(each.delivered_at, settings) if each.delivered_at else None,
        )
        for each in lines
    ]
    print_table(console, "Suppliers", columns, rows, whole=("code",))


def render_page(console: Console, settings: Settings, page: SupplierPage) -> None:
    """One supplier: test deliveries, the last checklist, lists of customers, customers."""
    line = page.line
    days = f"{page.agreement_from} to {page.agreement_to}" if page.agreement_to else f"since {page.agreement_from}"
    mode = "in the sandbox: what it sends is tried, not loaded" if line.sandbox else "its deliveries are loaded"
    prose(console, f"{line.name} ({line.code}); agreement {line.agreement}, {days}; {mode}", "")
    if page.trials:
        columns: tuple[str, ...] = ("test", "when", "file", "state", "ready", "bibs", "holdings")
        print_table(console, "Test deliveries", columns, [_trial(each, settings) for each in page.trials])
        checks = [(_mark(each["is_met"], each["is_needed"]), each["rule"], each["reason"]) for each in page.checks]
        print_table(console, "Checklist of the last one", _CHECKS, checks, whole=("rule",))
    if page.reports:
        columns = ("list", "when", "file", "rows", "new", "changed", "not taken", "taken back")
        print_table(console, "Lists of customers", columns, [_list(each, settings) for each in page.reports])
    rules: dict[str, list[str]] = {each["sigel"]: [] for each in page.customers}
    for each in page.findings:
        rules.setdefault(each["sigel"], []).append(each["rule"])
    named = {each["sigel"]: each for each in page.customers}
    rows = [
        (sigel, named.get(sigel, {}).get("name"), named.get(sigel, {}).get("ends_on"), ", ".join(found))
        for sigel, found in sorted(rules.items())
    ]
    if rows:
        print_table(console, "Customers", ("sigel", "name", "until", "does not agree"), rows, whole=("sigel",))


def _trial(each: Mapping[str, Any], settings: Settings) -> tuple[object, ...]:
    ready = "yes" if each["is_ready"] else "no"
    when = place.moment(each["tried_at"], settings)
    return each["trial_id"], when, each["name"], each["state"], ready, each["bibs_read"], each["holdings_read"]


def _list(each: Mapping[str, Any], settings: Settings) -> tuple[object, ...]:
    counts = [each[f"rows_{name}"] for name in ("read", "added", "changed", "rejected")]
    undone = "yes" if each["reverted_at"] else None
    return each["report_id"], place.moment(each["reported_at"], settings), each["name"], *counts, undone
