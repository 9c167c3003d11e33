"""`samkat review`: bibs that wait for a cataloguer, side by side with their candidates, and the decisions on them.

Pairs of bibs that look like one are among them, under numbers with D (pairs.py shows them).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, By, command, group
from deployments.cli.output import Output, print_table, prose
from deployments.cli.running import flow_session, run_flow
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from tasks.notices.worklist import Candidate, ReviewCase
    from tasks.warehouse.overview import ReviewLine

app = group("Bibs that wait for a cataloguer: look at them, decide them.")

ReviewId = Annotated[str, typer.Argument(metavar="ID", help="Number of the review, or D4, as in `samkat review list`.")]


@command(app, "list", "samkat review list", "samkat review list --owner cataloguing@samkatalogen.example")
def list_reviews(
    owner: Annotated[str | None, typer.Option("--owner", help="Only what this cataloguer has.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for a cataloguer, the most urgent first, with the libraries whose books wait.

    Then the pairs of bibs that look like one, the most alike first, under numbers with D.
    """
    from deployments.cli.pairs import render_pairs
    from tasks.merging.shown import shown_pairs
    from tasks.warehouse.overview import open_reviews

    settings = place.settings()
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        found = open_reviews(connection, owner)
        pairs = [each for each in shown_pairs(connection) if owner in (None, each.owner)]

    def render(console: Console) -> None:
        if not found and not pairs:
            prose(console, "Nothing waits for a cataloguer.")
        if found:
            _render_list(console, settings, found)
        if pairs:
            render_pairs(console, pairs)

    Output(as_json).show({"reviews": found, "pairs": pairs}, render)


def _render_list(console: Console, settings: Settings, found: list[ReviewLine]) -> None:

    today = settings.business_date()
    columns = ("review", "due", "supplier", "file, record", "title", "ISBN", "why", "libraries", "owner")
    rows = (
        (
            each.review_id,
            _due(each, today),
            each.sender,
            f"{each.file_name}, {each.position}",
            each.title,
            each.isbn13,
            each.reason,
            " ".join(each.libraries),
            each.owner,
        )
        for each in found
    )
    print_table(console, f"{len(found)} in review", columns, rows)
    prose(
        console, "`samkat review show ID` shows one side by side; `samkat review worklist` writes all as HTML and CSV."
    )


def _due(each: ReviewLine, today: date) -> str:
    return f"{each.due_on}{' LATE' if each.due_on < today else ''}{' loaded' if each.provisional_bib_id else ''}"


@command(app, "show", "samkat review show 4")
def show(review_id: ReviewId, as_json: AsJson = False) -> None:
    """Show a delivered record beside its candidates, with what speaks for and against each."""
    from zoneinfo import ZoneInfo

    from deployments.cli.pairs import number_of, show_pair
    from tasks.notices.cases import review_cases
    from tasks.warehouse.overview import reviews

    settings = place.settings()
    number, is_pair = number_of(review_id)
    if is_pair:
        show_pair(settings, number, Output(as_json))
        return
    known = place.register(settings)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        lines = reviews(connection, [number])
        if not lines:
            raise UsageError(f"there is no review {number}", remedy="`samkat review list` shows what waits")
        (case,) = review_cases(connection, known, ZoneInfo(settings.timezone), [number])
    Output(as_json).show({"review": lines[0], "case": case}, lambda console: _render_case(console, lines[0], case))


def _render_case(console: Console, line: ReviewLine, case: ReviewCase) -> None:

    prose(
        console,
        f"Review {line.review_id}: {line.state}{f', {line.decision} by {line.decided_by}' if line.decision else ''}",
        f"Record {case.position} of {case.file_name} from {case.supplier_name} (delivery {line.delivery_id})",
        f"Why a person has to look: {line.reason}",
        f"Due on {case.due_on}, with {case.owner}",
        f"Books that wait: {', '.join(f'{each.library_name} ({each.sigel})' for each in case.waiting) or 'none'}",
    )
    for candidate in case.candidates:
        _render_candidate(console, case, candidate)
    if line.state == "open":
        best = case.candidates[0].bib_id if case.candidates else "BIB"
        prose(
            console,
            f"Decide: samkat review decide {line.review_id} --match {best} --by NAME (or --new, or --reject)",
        )


SIGNS = {"same": "=", "differs": "≠", "only_incoming": "+", "only_candidate": "-"}


def _render_candidate(console: Console, case: ReviewCase, candidate: Candidate) -> None:
    from tasks.notices.cards import compare_cards

    title = f"Bib {candidate.bib_id} ({candidate.control_number}): {candidate.verdict}, {candidate.score:.2f} points"
    rows = (
        (
            field.name.replace("_", " "),
            SIGNS[field.relation],
            " ".join(segment.text for segment in field.incoming),
            " ".join(segment.text for segment in field.candidate),
        )
        for field in compare_cards(case.incoming, candidate.card)
    )
    print_table(console, title, ("field", "", "delivered", "in the catalogue"), rows)
    ranks = {"veto": 0, "doubt": 1, "feature": 2}
    for each in sorted(candidate.evidence, key=lambda one: (ranks[one.kind], -abs(one.points), one.name)):
        weight = f"{each.points:+.2f}" if each.kind == "feature" else str(each.kind)
        prose(console, f"  {weight:>5}  {each.name.replace('_', ' ')}: {each.text}")
    prose(console, "")


@command(
    app,
    "decide",
    "samkat review decide 4 --match 7 --by 'Anna Berg'",
    "samkat review decide D2 --same --by 'Anna Berg'",
    "samkat review decide --csv worklist.csv --by 'Anna Berg'",
)
def decide(
    by: By,
    review_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Number of one review, or D2 for a pair of bibs.")
    ] = None,
    match: Annotated[
        int | None, typer.Option("--match", metavar="BIB", help="It is this bib of the catalogue.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="It is a new bib.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Refuse the record, with its holdings.")] = False,
    same: Annotated[bool, typer.Option("--same", help="The two bibs are one: they are merged.")] = False,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="BIB", help="With --same: the bib that stays; the better one else.")
    ] = None,
    different: Annotated[bool, typer.Option("--different", help="They are two: never offered again.")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="A worklist with its `decision` column filled in.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decide reviews, one here or many from the worklist's CSV; the holdings that waited are loaded at once.

    A pair of bibs that look like one (D2) is decided as --same, which merges them, or --different.

    Decisions that cannot be taken are listed and the others count; the command ends with 2 then.
    """
    from deployments.cli.pairs import pair_word, render_decided_pairs
    from tasks.merging.shown import shown_pairs
    from tasks.warehouse.overview import reviews

    words = {
        "--match BIB": f"match:{match}" if match is not None else "",
        "--new": "new" if new else "",
        "--reject": "reject" if reject else "",
        "--same": pair_word(same, keep),
        "--different": "different" if different else "",
    }
    decisions, problems = _decisions(review_id, words, csv)
    output, settings = Output(as_json), place.settings()
    place.register(settings)
    done: dict[str, str] = {}
    on_reviews = {int(key): word for key, word in decisions.items() if not key.startswith("D")}
    on_pairs = {int(key[1:]): word for key, word in decisions.items() if key.startswith("D")}
    with place.warehouse(settings) as warehouse:
        if decisions:
            with flow_session(settings, output):
                report = run_flow("review_decide", "review_decide", decisions=on_reviews, by=by, pairs=on_pairs)
            done = report["done"]
            problems += [f"review {key}: {problem}" for key, problem in report["problems"].items()]
        with warehouse.read() as connection:
            lines = reviews(connection, on_reviews)
            pairs = shown_pairs(connection, ids=on_pairs)
    document = {"by": by, "reviews": lines, "pairs": pairs, "done": done, "problems": problems}

    def render(console: Console) -> None:
        _render_decided(console, lines, done)
        render_decided_pairs(console, pairs, done)
        prose(console, *(f"Not taken: {problem}" for problem in problems))

    output.show(document, render)
    raise typer.Exit(UsageError.exit_code if problems else 0)


def _decisions(review_id: str | None, words: dict[str, str], csv: Path | None) -> tuple[dict[str, str], list[str]]:
    """What was decided, by review (`4`) and pair (`D4`), and lines of a CSV that were not understood."""
    from deployments.cli.pairs import PAIR_OPTIONS, number_of

    chosen = {option: word for option, word in words.items() if word}
    if csv is not None:
        if review_id is not None or chosen:
            raise UsageError("--csv stands alone", remedy="decide one review by its ID, or many with --csv")
        return _from_csv(csv)
    if review_id is None:
        raise UsageError("no review is named", remedy="give its ID, or a worklist with --csv")
    number, is_pair = number_of(review_id)
    fitting = [option for option in words if (option in PAIR_OPTIONS) is is_pair]
    fits = [word for option, word in chosen.items() if option in fitting]
    if len(fits) != 1 or len(chosen) != 1:
        said = len(chosen) if len(chosen) != 1 else "another kind of"
        what = f"{said or 'no'} decision{'s' if len(chosen) != 1 else ''} for review {review_id}"
        raise UsageError(what, remedy=f"say one of {', '.join(fitting)}")
    return {f"D{number}" if is_pair else str(number): fits[0]}, []


def _from_csv(path: Path) -> tuple[dict[str, str], list[str]]:
    from tasks.notices.decisions import read_decisions

    with place.plain_files([path])[0].open("rb") as stream:
        decisions, problems = read_decisions(stream)
    if not decisions and not problems:
        raise UsageError("nothing is decided in it", file=str(path), remedy="fill in the column `decision`")
    return {each.key: str(each) for each in decisions}, [f"{path}, {each}" for each in problems]


def _render_decided(console: Console, lines: list[ReviewLine], done: dict[str, str]) -> None:
    columns = ("review", "title", "state", "decision", "by", "what came of it")
    rows = [
        (
            each.review_id,
            each.title,
            each.state,
            each.decision,
            each.decided_by,
            done.get(str(each.review_id), "nothing"),
        )
        for each in lines
    ]
    if rows:
        print_table(console, "Decided", columns, rows)


@command(app, "worklist", "samkat review worklist", "samkat review worklist --to /srv/worklists --language sv")
def worklist(
    to: Annotated[Path | None, typer.Option("--to", help="Folder to write to; HOME/worklists where not given.")] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Language of the page; the register's else.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write everything that waits as a page to look at (HTML) and a list to fill in and send back (CSV)."""
    settings = place.settings()
    number, page, rows = write_worklist(settings, to, language)
    Output(as_json).show(
        {"cases": number, "html": page, "csv": rows},
        lambda console: prose(
            console,
            f"{number} in review",
            f"  to look at:  {page}",
            f"  to fill in:  {rows}",
            f"Then: samkat review decide --csv {rows} --by NAME",
        ),
    )


@command(app, "deadline", "samkat review deadline", "SAMKAT_TODAY=2025-03-18 samkat review deadline")
def deadline(as_json: AsJson = False) -> None:
    """Load what nobody has decided in time as provisional bibs, so that a bought book can be lent.

    The reviews stay open; the holdings that waited are loaded with the bibs. Harmless to run every night.
    """
    output, settings = Output(as_json), place.settings()
    place.register(settings)
    with place.warehouse(settings), flow_session(settings, output):
        report = run_flow("review_deadline", "review_deadline")
    done: dict[str, str] = report["done"]
    output.show(
        {"done": done},
        lambda console: prose(
            console, *([f"{what}: {said}" for what, said in done.items()] or ["Nothing is overdue."])
        ),
    )


def write_worklist(settings: Settings, to: Path | None = None, language: str | None = None) -> tuple[int, Path, Path]:
    """Write the worklist of the business date as HTML and CSV; returns how many cases, and the two files."""
    from zoneinfo import ZoneInfo

    from tasks.notices.cases import review_cases
    from tasks.notices.pair_cases import duplicate_cases
    from tasks.notices.worklist import Worklist, worklist_csv, worklist_html

    known = place.register(settings)
    policy, zone = known.matching, ZoneInfo(settings.timezone)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        cases = review_cases(connection, known, zone)
        pairs = duplicate_cases(connection, zone, most=policy.duplicates_in_worklist)
    today = settings.business_date()
    key = f"cli:{today}"
    found = Worklist(policy.review_owner, language or policy.review_language, key, today, cases, pairs)
    folder = (to or settings.home / "worklists").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    page, rows = folder / f"worklist-{today}.html", folder / f"worklist-{today}.csv"
    page.write_text(worklist_html(found, known.catalogue.name, known.catalogue.sender), encoding="utf-8")
    rows.write_bytes(worklist_csv(found))
    return found.total, page, rows
