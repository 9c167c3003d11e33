"""`samkat why`: from a bib, a holding, an ISBN or a person back to what each decision came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command, group
from deployments.cli.output import Output, print_table, prose

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from schemas.register.register import Register
    from tasks.catalogue.orders import IsbnExplanation, Order
    from tasks.catalogue.trail import HeldPlan, Merge, Notice, Step
    from tasks.catalogue.why import BibExplanation, BibVersion, HoldingExplanation, HoldingVersion
    from tasks.exports.carried import CarriedIn
    from tasks.patrons.why import Decided

app = group("Why is it so? The chain from a row back to the bytes it came from.")
MOST_STEPS = 20


@command(app, "bib", "samkat why bib 7", "samkat why bib sk0000007 --json")
def bib(
    bib_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the bib, or its control number.")],
    as_json: AsJson = False,
) -> None:
    """Explain a bib: what it is, what it was, which deliveries made it so, by which rule, on what evidence."""
    from tasks.catalogue.why import bib_id_of, why_bib
    from tasks.exports.carried import files_with_bib

    settings = place.settings()
    profiles = place.register(settings).export_profile_by_name
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        found = why_bib(connection, bib_id_of(connection, bib_id))
        files = files_with_bib(connection, profiles, found.bib.bib_id)
    document = {**vars(found), "files": files}
    Output(as_json).show(document, lambda console: _render_bib(console, settings, found, files))


@command(app, "holding", "samkat why holding 12")
def holding(
    holding_id: Annotated[int, typer.Argument(metavar="ID", help="Id of the holding.")], as_json: AsJson = False
) -> None:
    """Explain a holding: whose lines it has, which deliveries changed it, and how its bib was found."""
    from tasks.catalogue.why import why_holding

    settings = place.settings()
    known = place.register(settings)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        found = why_holding(connection, holding_id)
    found = replace(found, notices=_for_library(found.notices, found.holding.sigel, known))
    Output(as_json).show(found, lambda console: _render_holding(console, settings, found))


@command(app, "account", "samkat why account anna1", "samkat why account 7")
def account(
    account_id: Annotated[
        str, typer.Argument(metavar="ID", help="Login of the account, or its id as in `samkat accounts show`.")
    ],
    system: Annotated[str | None, typer.Option("--system", help="Code of the system the login is in.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a staff account: its status by its dates, where each value came from, every sweep that touched it."""
    from deployments.cli.why_account import render
    from tasks.accounts.showing import account_id_of, why_account

    settings = place.settings()
    known = place.register(settings).account_system_by_code
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        named = account_id_of(connection, account_id, system)
        found = why_account(connection, named, known, settings.business_date())
    Output(as_json).show(found, lambda console: render(console, found))


@command(app, "isbn", "samkat why isbn 978-91-0-012345-1 --library LUNV", "samkat why isbn 9100123455")
def isbn(
    number: Annotated[str, typer.Argument(metavar="ISBN", help="In any form: 10 or 13 digits, with dashes or words.")],
    library: Annotated[str | None, typer.Option("--library", metavar="SIGEL", help="Whose order it is.")] = None,
    as_json: AsJson = False,
) -> None:
    """Where is my order? What every delivery that brought the number came to, for one library or for all."""
    from tasks.catalogue.orders import why_isbn
    from tasks.marc.isbn import isbn_fact

    output, settings = Output(as_json), place.settings()
    known = place.register(settings)
    sigel = None if library is None else place.known_sigel(library, known)
    fact = isbn_fact(number, "a", "")
    if fact.isbn13 is None:
        output.note(f"{number!r} is not a valid ISBN (wrong check digit or length); looked for exactly as written.")
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        found = why_isbn(connection, fact.isbn13 or fact.raw, sigel)
    if sigel is not None:
        found = replace(found, notices=_for_library(found.notices, sigel, known))
    output.show(found, lambda console: _render_isbn(console, settings, found))


@command(app, "patron", "samkat why patron NORU/u1234@nordhavet.example", "samkat why patron NORU 90001234")
def patron(
    words: Annotated[
        list[str],
        typer.Argument(metavar="ID", help="INSTITUTION/ID: code of the institution, and an id of the person there."),
    ],
    as_json: AsJson = False,
) -> None:
    """Explain a person: what is there and who says so, and every decision that made it so, by rule and file."""
    from deployments.cli.patron_desk import occasion_of, render_person
    from tasks.patrons.why import named, why_patron

    settings = place.settings()
    # As two words, as the other commands about persons have it, or as one.
    institution, text = named("/".join(words))
    occasion = occasion_of(settings, place.register(settings), institution)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        found = why_patron(connection, institution, text, occasion)

    def render(console: Console) -> None:
        render_person(console, found.person)
        _render_decided(console, settings, found.decisions)

    Output(as_json).show(found, render)


def _for_library(notices: tuple[Notice, ...], sigel: str, known: Register) -> tuple[Notice, ...]:
    """Of the e-mails about a run those that the library got; the warehouse does not know which address is whose."""
    library = known.library_by_sigel.get(sigel)
    return tuple(each for each in notices if library is not None and each.recipient == library.contact)


def _render_bib(console: Console, settings: Settings, found: BibExplanation, files: Sequence[CarriedIn]) -> None:

    prose(console, *_bib_in_words(settings, found.bib))
    prose(console, *(f"  {each}" for each in (*found.isbns, *found.identifiers)))
    prose(console, f"  held by: {', '.join(each.sigel for each in found.holdings) or 'no library'}", "")
    for each in found.earlier:
        prose(console, *_bib_in_words(settings, each), "")
    for merge in reversed(found.merges):
        prose(console, *_merge_in_words(settings, merge), "")
    _render_steps(console, settings, found.steps)
    _render_around(console, settings, found.plans, found.notices)
    prose(console, *(_file_in_words(settings, each) for each in files))


def _file_in_words(settings: Settings, each: CarriedIn) -> str:
    at = place.moment(each.delivered_at, settings)
    return f"{at}  {each.what} in {each.name} for {each.profile} (export {each.export_id})"


def _merge_in_words(settings: Settings, merge: Merge) -> list[str]:
    run = f", run {merge.run_id}" if merge.run_id else ""
    score = "" if merge.score is None else f", {merge.score:.2f} points"
    lines = [
        f"{place.moment(merge.merged_at, settings)}  bib {merge.merged_id} was merged into bib {merge.survivor_id} by "
        f"{merge.by}: {merge.reason or 'no reason given'} [{merge.rule}] (merge {merge.merge_id}{run})",
        *(f"  overruled: {each}" for each in merge.objections),
        *([f"  evidence{score}:"] if merge.evidence else []),
        *(f"    {each}" for each in merge.evidence),
    ]
    if merge.split_at:
        lines.append(
            f"{place.moment(merge.split_at, settings)}  parted again by {merge.split_by}: "
            f"{merge.split_reason or 'no reason given'}"
        )
        lines += [f"  left: {each}" for each in merge.left_as_is]
    return lines


def _render_holding(console: Console, settings: Settings, found: HoldingExplanation) -> None:

    for version in (found.holding, *reversed(found.earlier)):
        prose(console, *_holding_in_words(settings, version), "")
    prose(console, *_bib_in_words(settings, found.bib), "")
    _render_steps(console, settings, found.steps)
    prose(console, "How its bib was found:")
    _render_steps(console, settings, found.bib_steps)
    _render_around(console, settings, found.plans, found.notices)


def _render_isbn(console: Console, settings: Settings, found: IsbnExplanation) -> None:

    prose(console, *found.answer, "")
    for each in found.bibs:
        prose(console, *_bib_in_words(settings, each))
    if found.orders:
        columns = ("delivery", "received", "supplier", "file, record", "byte", "title", "bib", "holdings", "why")
        rows = (_order_row(settings, order) for order in found.orders[:MOST_STEPS])
        print_table(console, "Deliveries that brought it", columns, rows)
    _render_around(console, settings, found.plans, found.notices)


def _order_row(settings: Settings, order: Order) -> tuple[object, ...]:
    return (
        order.delivery.delivery_id,
        place.moment(order.delivery.received_at, settings),
        order.delivery.sender,
        f"{order.delivery.name}, {order.piece.position}",
        order.piece.byte_offset,
        order.piece.title,
        order.outcome or order.delivery.state,
        ", ".join(f"{each.sigel} {each.outcome or 'undecided'}" for each in order.holdings),
        order.reason,
    )


def _bib_in_words(settings: Settings, bib: BibVersion) -> list[str]:
    until = f" until {place.moment(bib.ended_at, settings)}" if bib.ended_at else ""
    traits = [f"level {bib.encoding_level.replace(' ', '#')}", bib.carrier, str(bib.year or "")]
    traits += ["national bibliography"] if bib.is_national_bibliography else []
    traits += ["provisional"] if bib.is_provisional else []
    traits += [f"merged into bib {bib.merged_into}" if bib.merged_into else "deleted"] if bib.is_deleted else []
    origin = f", record {bib.origin_position} of delivery {bib.origin_delivery_id}" if bib.origin_delivery_id else ""
    return [
        f"Bib {bib.bib_id} ({bib.control_number}), version {bib.version}: {bib.title}",
        f"  {', '.join(each for each in (bib.author, *traits) if each)}",
        f"  made by {bib.source} ({bib.last_editor}){origin}, {place.moment(bib.updated_at, settings)}{until}",
    ]


def _holding_in_words(settings: Settings, version: HoldingVersion) -> list[str]:
    until = f" until {place.moment(version.ended_at, settings)}" if version.ended_at else ""
    state = "deleted" if version.is_deleted else "shown" if version.is_visible else "not shown (limited participation)"
    head = f"Holding {version.holding_id} of {version.sigel}, bib {version.bib_id}, version {version.version}: {state}"
    lines = [
        f"  {line.tag} {line.shelf_mark} {' '.join(filter(None, (line.public_note, line.internal_note)))}".rstrip()
        + f" (line of {line.owner})"
        for line in version.lines
    ]
    by = f"delivery {version.delivery_id}, " if version.delivery_id else ""
    return [head, f"  by {by}{place.moment(version.updated_at, settings)}{until}", *lines]


def _render_steps(console: Console, settings: Settings, steps: tuple[Step, ...]) -> None:
    """Newest first: what happened, from which bytes, and for a bib which candidates there were."""

    for step in reversed(steps[-MOST_STEPS:]):
        made = f" (version {step.version})" if step.version else ""
        over = "" if step.is_latest else ", succeeded by a later decision"
        piece, delivery = step.piece, step.delivery
        again = f", also sent as {', '.join(delivery.other_names)}" if delivery.other_names else ""
        prose(
            console,
            f"{place.moment(step.decided_at, settings)}  {step.record_type} {step.outcome}{made}: {step.reason} "
            f"[{step.rule}]{over}",
            f"  record {piece.position} of {delivery.name}, bytes {piece.byte_offset} to "
            f"{piece.byte_offset + piece.length - 1} of {piece.member or delivery.name}, read as {piece.charset}",
            f"  delivery {delivery.delivery_id} of {delivery.sender} ({delivery.state}), received "
            f"{place.moment(delivery.received_at, settings)}{again}",
            f"  sha256 {delivery.sha256}, now at {delivery.uri}",
            *(f"  remark: {each}" for each in piece.findings),
        )
        _render_candidates(console, settings, step)
        prose(console, "")
    if len(steps) > MOST_STEPS:
        prose(console, f"{len(steps) - MOST_STEPS} earlier steps: --json has them.", "")


def _render_candidates(console: Console, settings: Settings, step: Step) -> None:

    for each in step.candidates:
        who = f", decided by {each.decided_by}" if each.decided_by else ""
        prose(
            console,
            f"  candidate bib {each.bib_id} ({each.title}): {each.verdict}, {each.score:.2f} points [{each.rule}]{who}",
            *(f"    {line}" for line in each.evidence),
        )
    if step.review is not None:
        review = step.review
        done = f"{review.decision} by {review.decided_by}" if review.decision else f"due on {review.due_on}"
        prose(console, f"  review {review.review_id}: {review.state}, {done} ({review.reason})")


def _render_decided(console: Console, settings: Settings, decisions: tuple[Decided, ...]) -> None:
    """Newest first: what was decided about a person, by which rule, from which file."""
    from deployments.cli.patron_desk import shown_value

    for each in reversed(decisions[-MOST_STEPS:]):
        kind = f" {each.item_type}" if each.item_type else ""
        file = f"file {each.delivery_id} ({each.file})" if each.delivery_id else ""
        who = ", ".join(filter(None, (each.source, file))) or "staff, time"
        undone = f", undone {place.moment(each.reverted_at, settings)}" if each.reverted_at else ""
        prose(
            console,
            f"{place.moment(each.changed_at, settings)}  {each.path}{kind} {each.decision}: "
            f"{each.reason} [{each.rule}]",
            f"  by {who}{f', version {each.version}' if each.version else ''}{undone}",
        )
        old, new = shown_value(each.old), shown_value(each.new)
        if old != new:
            prose(console, f"  {old} -> {new}".replace("\n", "; "))
    if len(decisions) > MOST_STEPS:
        prose(console, f"{len(decisions) - MOST_STEPS} earlier decisions: --json has them.")


def _render_around(
    console: Console, settings: Settings, plans: tuple[HeldPlan, ...], notices: tuple[Notice, ...]
) -> None:

    for plan in plans:
        by = f" by {plan.decided_by}" if plan.decided_by else ""
        prose(console, f"Plan {plan.plan_hash[:12]}, {plan.change_class}: {plan.state}{by} ({plan.reason})")
    if len(notices) > 1:
        prose(console, "E-mails about these deliveries, also about their other titles:")
    for notice in notices[-MOST_STEPS:]:
        sent = f"sent {place.moment(notice.sent_at, settings)}" if notice.sent_at else notice.state
        prose(console, f"E-mail {notice.notice_id}, {notice.kind} to {notice.recipient}: {notice.subject} ({sent})")
