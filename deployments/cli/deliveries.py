"""Deliveries for people: what came in, what became of it and why, and where to look next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.cli.failing import DONE, FAILED, NEEDS_A_PERSON
from deployments.cli.output import print_table, prose

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy.engine import Connection

    from config.settings import Settings
    from tasks.catalogue.trail import HeldPlan
    from tasks.warehouse.overview import DeliveryLine, ReasonLine

BIB_WORDS = {
    "created": "new in the catalogue",
    "replaced": "took the place of a poorer record",
    "kept": "matched; the catalogue's record stays",
    "review": "waits for a cataloguer",
    "rejected": "rejected",
}
HOLDING_WORDS = {
    "created": "new on the shelf list",
    "updated": "changed",
    "unchanged": "as it was",
    "deleted": "withdrawn",
    "waiting": "waits for a decision",
    "refused": "refused by a rule",
    "rejected": "rejected",
}
STATE_WORDS = {
    "received": "received, not read yet",
    "staged": "read, not matched yet",
    "held": "held for approval",
    "matched": "matched, not loaded",
    "loaded": "loaded, not proved yet",
    "settled": "settled",
    "rejected": "rejected",
    "reverted": "reverted",
}
MOST_REASONS = 40
MOST_PAGES = 3


@dataclass(frozen=True)
class Told:
    """Deliveries of a command, the reasons behind their outcomes, and whether nothing of it was settled."""

    deliveries: tuple[DeliveryLine, ...]
    reasons: tuple[ReasonLine, ...]
    is_preview: bool = False
    repeats: frozenset[int] = frozenset()
    """Deliveries that had been finished before: recognised, no effect."""
    plans: tuple[HeldPlan, ...] = ()
    """Changes of theirs that a guard holds."""

    @property
    def flow_run_id(self) -> str | None:
        """The run that did something with one of them."""
        taken = (each for each in self.deliveries if each.delivery_id not in self.repeats)
        return next((each.flow_run_id for each in taken if each.flow_run_id), None)

    @property
    def exit_code(self) -> int:
        """4 where a delivery was rejected, 3 where a person is needed, 0 otherwise.

        What came before and had no effect says nothing new, unless it is a file that cannot be loaded at all.
        """
        if any(each.state == "rejected" for each in self.deliveries):
            return FAILED
        fresh = [each for each in self.deliveries if each.delivery_id not in self.repeats]
        waits = ("bibs_review", "holdings_waiting")
        is_waiting = any(each.state == "held" or any(each.counts[name] for name in waits) for each in fresh)
        return NEEDS_A_PERSON if is_waiting or self.plans else DONE

    def document(self, **more: Any) -> dict[str, Any]:
        """For `--json`."""
        return {
            **more,
            "dry_run": self.is_preview,
            "deliveries": self.deliveries,
            "without_effect": sorted(self.repeats),
            "reasons": self.reasons,
            "plans_held": self.plans,
        }


def tell(
    connection: Connection,
    delivery_ids: Collection[int],
    *,
    is_preview: bool = False,
    began_at: datetime | None = None,
    names: Collection[str] | None = None,
) -> Told:
    """Read what became of these deliveries; of a dry run what would become of them.

    `began_at` is when the command began: what had been finished before is told to be without effect, and where `names`
    are given only when it is one of these files. (A run also looks at what earlier runs have left.)
    """
    from tasks.catalogue.trail import read_plans
    from tasks.warehouse.overview import deliveries, previewed_counts, reasons

    found = deliveries(connection, delivery_ids)
    repeats = frozenset(
        each.delivery_id for each in found if began_at and each.finished_at and each.finished_at < began_at
    )
    if names is not None:
        named = set(names)
        found = tuple(
            each for each in found if each.delivery_id not in repeats or named & {each.name, *each.sent_again_as}
        )
    # What was loaded before is not previewed again: its outcomes stand.
    previewed = {each.delivery_id for each in found if each.is_preview} if is_preview else set()
    found = tuple(
        replace(each, counts={**each.counts, **previewed_counts(connection, each.delivery_id)})
        if each.delivery_id in previewed
        else each
        for each in found
    )
    loaded = {each.delivery_id for each in found} - previewed
    said = [*reasons(connection, loaded), *reasons(connection, previewed, is_preview=True)]
    plans = tuple(each for each in read_plans(connection, loaded - repeats) if each.state == "held")
    return Told(found, tuple(said), is_preview, repeats, plans)


def render_deliveries(console: Console, told: Told, settings: Settings, run_page: str | None) -> None:
    """Two tables and the way on."""
    if not told.deliveries:
        prose(console, "There was nothing to do.")
        return
    title = "What would become of it (nothing was settled)" if told.is_preview else "What came in"
    columns = ("delivery", "supplier", "file", "state", "bibs", "holdings", "unreadable")
    print_table(console, title, columns, (_row(each, told) for each in told.deliveries))
    _render_reasons(console, told.reasons)
    prose(console, *_way_on(told, settings, run_page))


def _row(each: DeliveryLine, told: Told) -> tuple[object, ...]:
    remarks = ["previewed" if each.is_preview and each.state != "rejected" else STATE_WORDS[each.state]]
    remarks += ["came before: no effect"] if each.delivery_id in told.repeats else []
    remarks += [f"sent again as {name}: no effect" for name in each.sent_again_as]
    return (
        each.delivery_id,
        each.sender,
        each.name,
        "; ".join(remarks),
        counts_in_words(each.counts, "bibs"),
        counts_in_words(each.counts, "holdings"),
        each.counts["records_unreadable"] or None,
    )


def counts_in_words(counts: Mapping[str, int], things: str) -> str:
    """`12 created, 1 kept`; what did not happen is left out."""
    outcomes = BIB_WORDS if things == "bibs" else HOLDING_WORDS
    return ", ".join(f"{counts[f'{things}_{name}']} {name}" for name in outcomes if counts[f"{things}_{name}"])


def _render_reasons(console: Console, reasons: Sequence[ReasonLine]) -> None:
    """Why, over all deliveries: the same rule counts once, with the reason of its first record."""
    grouped: dict[tuple[str, str, str], ReasonLine] = {}
    for each in reasons:
        key = (each.record_type, each.outcome, each.rule)
        known = grouped.get(key)
        grouped[key] = each if known is None else replace(known, number=known.number + each.number)
    if not grouped:
        return
    ordered = sorted(grouped.values(), key=lambda each: (each.record_type, -each.number, each.outcome))
    rows = [(each.number, each.record_type, _outcome_in_words(each), each.reason) for each in ordered[:MOST_REASONS]]
    print_table(console, "Why", ("number", "what", "outcome", "why (of the first record)"), rows)
    if len(ordered) > MOST_REASONS:
        prose(console, f"{len(ordered) - MOST_REASONS} further reasons: --json has them, and the view out_record.", "")


def _outcome_in_words(each: ReasonLine) -> str:
    words = (BIB_WORDS if each.record_type == "bib" else HOLDING_WORDS).get(each.outcome, each.outcome)
    return each.outcome if words == each.outcome else f"{each.outcome}: {words}"


def _way_on(told: Told, settings: Settings, run_page: str | None) -> list[str]:
    lines = [
        f"Delivery {each.delivery_id} is {each.state}: {each.hold_reason}"
        for each in told.deliveries
        if each.hold_reason and each.state in ("held", "rejected")
    ]
    if told.is_preview:
        return [*lines, "Run it again without --dry-run to load it."]
    if any(each.delivery_id in told.repeats and each.state in ("reverted", "rejected") for each in told.deliveries):
        lines.append("What was reverted or rejected before is loaded anew with --again.")
    if told.plans:
        lines.append("Something is held for approval: `samkat plans list`")
    if any(each.counts["bibs_review"] for each in told.deliveries):
        lines.append("A cataloguer is needed: `samkat review list`")
    lines += _docs(told, settings)
    if settings.smtp_url is None and settings.outbox.is_dir():
        lines.append(f"E-mails: {settings.outbox}")
    if run_page:
        lines.append(f"The run: {run_page}")
    return lines


def _docs(told: Told, settings: Settings) -> list[str]:
    """Where the Data Docs are, or will be. More than a few pages are found from the page that leads to all."""
    pages = sorted({each.docs_uri for each in told.deliveries if each.docs_uri})
    index = settings.data_docs_index
    lines = [f"Data docs: {page}" for page in (pages if len(pages) <= MOST_PAGES else [index])]
    judged = (each for each in told.deliveries if each.kind == "supplier" and each.state in ("held", "settled"))
    if any(each.docs_uri is None for each in judged):
        is_off = settings.data_docs_mode == "off"
        lines.append("Data docs: `samkat data-docs` makes them" if is_off else f"Data docs: in a moment, see {index}")
    return lines
