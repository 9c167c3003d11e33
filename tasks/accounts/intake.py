"""Files about accounts, taken in: requests and accounts, changes, leavers, training, rotations.

One file is one transaction; the same file again has no effect. What cannot be taken stays behind with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any, BinaryIO, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.accounts import core_account_import, core_account_reject, core_account_request
from tasks.accounts.changing import Occasion, change_accounts, facts_of_values, make_accounts
from tasks.accounts.columns import FileKind
from tasks.accounts.csv_files import AccountFile, Reject, Row
from tasks.accounts.ending import end_of
from tasks.accounts.facts import Role
from tasks.accounts.requests import Answer, Request, check_request
from tasks.accounts.roles import FINDING_WORDS, judge_roles
from tasks.accounts.store import (
    CHUNK_ACCOUNTS,
    accounts_by_login,
    login_key,
    roles_json,
    roles_of,
    training_json,
    training_of,
)
from tasks.landing.fingerprint import fingerprint
from tasks.warehouse.bulk import bulk_insert, text_set
from tasks.warehouse.ids import take_id, take_ids

COUNTED: Final = frozenset({"downloads"})
"""Kinds whose rows are added up: the same file never counts twice."""
_REFUSED: Final = ("role_unknown", "role_not_for_kind", "role_outside_library")


@dataclass
class ImportReport:
    """What became of a file."""

    import_id: int
    kind: FileKind
    is_repeat: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    """read, created, changed, unchanged, incomplete, quarantined."""
    rejects: list[Reject] = field(default_factory=list)
    answers: list[tuple[int, str, str]] = field(default_factory=list)
    """(line, login, what is missing or refused in words)."""
    refused_roles: list[tuple[int, str, str, str]] = field(default_factory=list)
    """(line, login, role, finding): the rest of the row was taken."""


@dataclass(frozen=True)
class Intake:
    """What rows of a file are taken in with."""

    connection: Connection
    occasion: Occasion
    libraries: frozenset[str]
    report: ImportReport
    own: str | None = None
    """The only library about whose accounts the sender may send; None: about all."""

    def accounts(self, keys: Collection[str]) -> dict[str, sa.Row[Any]]:
        """Accounts by login key, as far as they are the sender's affair."""
        there = accounts_by_login(self.connection, self.occasion.system.code, keys)
        return {key: row for key, row in there.items() if self.own in (None, row.library)}


Taker = Callable[[Intake, Sequence[Row]], None]
TAKERS: dict[FileKind, Taker] = {}
"""How the rows of each kind are taken in; the other modules of files add theirs."""


def take_file(
    connection: Connection,
    stream: BinaryIO,
    name: str,
    occasion: Occasion,
    libraries: frozenset[str],
    wanted: str | None = None,
    *,
    again: bool = False,
    own: str | None = None,
    kinds: Collection[FileKind] = (),
) -> ImportReport:
    """Take a file in, in the caller's transaction, under `ACCOUNTS_LOCK`. `again` takes one that was taken before.

    `own` is the only library, `kinds` are the only kinds of file of the sender; without them all may be sent.
    Raises `UsageError` for a file whose header fits no kind of file, or a kind that the sender may not send.
    """
    digest = fingerprint(stream).sha256
    stream.seek(0)
    file = AccountFile(stream, name, wanted)
    if kinds and file.kind not in kinds:
        raise UsageError(
            f"is about {file.kind}, and this sender sends {', '.join(kinds)}",
            file=name,
            remedy="send it from who may, or enter the kind in account_sources.toml",
        )
    before = _seen(connection, occasion, file.kind, digest)
    if before is not None and (not again or file.kind in COUNTED):
        return before
    report = ImportReport(take_id(connection, "account_import"), file.kind)
    intake = Intake(connection, occasion, libraries, report, own)
    rows = iter(file.rows())
    while chunk := list(islice(rows, CHUNK_ACCOUNTS)):
        report.counts["read"] += len(chunk)
        _quarantine(report, [each for each in chunk if isinstance(each, Reject)])
        good = [each for each in chunk if isinstance(each, Row)]
        TAKERS[file.kind](intake, good)
    _store(connection, report, name, digest, occasion)
    return report


def _seen(connection: Connection, occasion: Occasion, kind: FileKind, digest: str) -> ImportReport | None:
    table = core_account_import.c
    row = connection.execute(
        sa.select(core_account_import).where(
            table.system == occasion.system.code, table.kind == kind, table.sha256 == digest
        )
    ).first()
    return None if row is None else ImportReport(row.import_id, kind, is_repeat=True)


def _quarantine(report: ImportReport, rejects: Sequence[Reject]) -> None:
    report.rejects += rejects
    report.counts["quarantined"] += len(rejects)


def refuse(intake: Intake, line: int, column: str, cause: str, remedy: str) -> None:
    """Leave a row behind, with its reason."""
    _quarantine(intake.report, [Reject(line, column, cause, remedy)])


def _store(connection: Connection, report: ImportReport, name: str, digest: str, occasion: Occasion) -> None:
    counted = ("read", "created", "changed", "unchanged", "incomplete", "quarantined")
    connection.execute(
        sa.insert(core_account_import).values(
            import_id=report.import_id, system=occasion.system.code, kind=report.kind, name=name, sha256=digest,
            said_on=occasion.day, created_at=occasion.now,
            **{f"rows_{each}": report.counts[each] for each in counted},
        )
    )  # fmt: skip
    bulk_insert(
        connection, core_account_reject, ("line", "field", "cause", "remedy"),
        [tuple(each) for each in {each.line: each for each in report.rejects}.values()],
        {"import_id": report.import_id},
    )  # fmt: skip


def once(intake: Intake, rows: Sequence[Row], key: Callable[[Row], str]) -> list[Row]:
    """The rows, each thing once: which of two rows is right nobody can tell, so the first one counts."""
    first: dict[str, Row] = {}
    for row in rows:
        known = first.setdefault(key(row), row)
        if known is not row:
            refuse(intake, row.line, "", f"line {known.line} is about the same", "send it once")
    return list(first.values())


def by_login(row: Row) -> str:
    """The login of a row, to compare with."""
    return login_key(row.values["login"])


def known_accounts(intake: Intake, rows: Iterable[Row]) -> list[tuple[Row, sa.Row[Any]]]:
    """Rows with their accounts; those whose account is not there are left behind."""
    wanted = once(intake, list(rows), by_login)
    there = intake.accounts([by_login(each) for each in wanted])
    found = []
    for row in wanted:
        account = there.get(by_login(row))
        if account is None:
            refuse(
                intake, row.line, "login", f"{row.values['login']!r} is not there", "correct it, or ask for it first"
            )
        else:
            found.append((row, account))
    return found


def _take_accounts(intake: Intake, rows: Sequence[Row]) -> None:
    known = []
    wanted = once(intake, rows, by_login)
    there = accounts_by_login(intake.connection, intake.occasion.system.code, [by_login(each) for each in wanted])
    for row in wanted:
        account = there.get(by_login(row))
        libraries = {row.values["library"], account.library if account else row.values["library"]}
        if row.values["library"] not in intake.libraries:
            refuse(intake, row.line, "library", f"no library has the sigel {row.values['library']!r}", "correct it")
        elif intake.own is not None and libraries != {intake.own}:
            refuse(intake, row.line, "library", f"is about another library than {intake.own}", "that library sends it")
        else:
            known.append(row)
    _change(intake, [(row, there[by_login(row)]) for row in known if by_login(row) in there])
    _ask(intake, [row for row in known if by_login(row) not in there])


def _take_changes(intake: Intake, rows: Sequence[Row]) -> None:
    _change(intake, known_accounts(intake, rows))


def _change(intake: Intake, pairs: Sequence[tuple[Row, sa.Row[Any]]]) -> None:
    changes = []
    for row, account in pairs:
        values = _columns_of(row.values, account, intake.occasion.day)
        merged = {**account._mapping, **values}
        wrong = end_of(facts_of_values(merged), intake.occasion.system.ends)
        if wrong.rule == "ends_before_start" and {"mission_start_on", "mission_end_on"} & row.values.keys():
            refuse(intake, row.line, "mission_end", "the mission ends before it starts", "correct one of the days")
            continue
        refused = _refused_roles(intake, merged)
        if refused and "roles" in values:
            intake.report.answers.append((row.line, account.login, _refusals(refused)))
            intake.report.refused_roles += [(row.line, account.login, *each) for each in refused]
            values["roles"] = roles_json(each for each in roles_of(values["roles"]) if each.code not in dict(refused))
        changes.append((account, values))
    intake.report.counts += change_accounts(intake.connection, intake.occasion, changes)


def _columns_of(given: Mapping[str, Any], account: sa.Row[Any], day: date) -> dict[str, Any]:
    """Columns of core_account from the values of a row; a cell that clears leaves the column's own emptiness."""
    texts = ("name", "email", "owner", "contact", "supporter", "tasks")
    values: dict[str, Any] = {
        name: "" if value is None and name in texts else value for name, value in given.items() if name != "login"
    }
    if "roles" in values:
        roles: tuple[Role, ...] = given["roles"] or ()
        values["roles"] = roles_json(_since(roles, roles_of(account.roles), day))
    if "employment" in values and given["employment"] is None:
        del values["employment"]
    if "pinned_end" in values:
        values["is_end_pinned"] = values["pinned_end"] is not None
    return values


def _since(roles: Iterable[Role], before: Iterable[Role], day: date) -> list[Role]:
    """Roles with the day from which the account has them: those it had keep theirs."""
    since = {(each.code, each.scope): each.since for each in before}
    return [each._replace(since=since.get((each.code, each.scope), day)) for each in roles]


def _refused_roles(intake: Intake, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    judged = judge_roles(facts_of_values(values), intake.occasion.system, intake.occasion.day)
    return [(each.role.code, str(each.finding)) for each in judged if each.finding in _REFUSED]


def _refusals(refused: Iterable[tuple[str, str]]) -> str:
    return "not given: " + ", ".join(f"{code} ({FINDING_WORDS.get(why, why)})" for code, why in refused)


def _ask(intake: Intake, rows: Sequence[Row]) -> None:
    """New accounts: a request that is whole makes one, another is answered with what is missing."""
    whole: list[dict[str, Any]] = []
    requests: list[tuple[Row, Answer, str]] = []
    day = intake.occasion.day
    for row in rows:
        answer = check_request(_request_of(row.values), intake.occasion.system, day)
        words = f"missing: {answer.words}" if answer.missing else ""
        if answer.refused_roles:
            words = f"{words}; ".lstrip("; ") + _refusals(answer.refused_roles)
        requests.append((row, answer, words))
        if answer.is_complete:
            made_on = row.values.get("made_on", day)
            roles = roles_json(_since(answer.given_roles, (), made_on))
            whole.append({"kind": "personal", **row.values, "roles": roles})
    make_accounts(intake.connection, intake.occasion, whole)
    intake.report.counts["created"] += len(whole)
    intake.report.counts["incomplete"] += len(rows) - len(whole)
    intake.report.answers += [(row.line, row.values["login"], words) for row, _, words in requests if words]
    _note_requests(intake, requests)


def _request_of(values: Mapping[str, Any]) -> Request:
    names = {"mission_start_on": "mission_start", "mission_end_on": "mission_end"}
    given = {names.get(key, key): value for key, value in values.items() if key not in ("made_on", "rotated_on")}
    return Request(**{"kind": "personal", "employment": "permanent", **given})


def _missing(answer: Answer) -> str:
    """What lacks, and which roles are not given, as keys: letters say it in the reader's language."""
    return orjson.dumps([*answer.missing, *(f"{why}:{role}" for role, why in answer.refused_roles)]).decode()


def _note_requests(intake: Intake, requests: Sequence[tuple[Row, Answer, str]]) -> None:
    table, system = core_account_request, intake.occasion.system.code
    keys = sa.select(text_set(intake.connection, [by_login(row) for row, _, _ in requests]).c.value)
    intake.connection.execute(
        sa.update(table)
        .where(table.c.system == system, table.c.login_key.in_(keys), table.c.state == "open")
        .values(state="superseded")
    )
    ids = take_ids(intake.connection, "account_request", len(requests))
    rows = [
        (
            *(number, by_login(row), row.values["library"], _missing(answer), words),
            *(row.values.get("contact") or row.values.get("supporter") or row.values.get("email", ""), row.line),
            "granted" if answer.is_complete else "open",
        )
        for number, (row, answer, words) in zip(ids, requests, strict=True)
    ]
    columns = ("request_id", "login_key", "library", "missing", "answer", "answer_to", "line", "state")
    constants = {"system": system, "import_id": intake.report.import_id, "asked_on": intake.occasion.day}
    bulk_insert(intake.connection, table, columns, rows, constants)


def _take_leavers(intake: Intake, rows: Sequence[Row]) -> None:
    pairs = known_accounts(intake, rows)
    changes = [(account, {"leaver_on": row.values["leaver_on"]}) for row, account in pairs]
    intake.report.counts += change_accounts(intake.connection, intake.occasion, changes)


def _take_training(intake: Intake, rows: Sequence[Row]) -> None:
    """A person may have several rows, one a course."""
    there = intake.accounts({by_login(each) for each in rows})
    training: dict[str, dict[str, date]] = {}
    for row in rows:
        account, on = there.get(by_login(row)), row.values["trained_on"]
        if account is None:
            refuse(
                intake, row.line, "login", f"{row.values['login']!r} is not there", "correct it, or ask for it first"
            )
        elif on > intake.occasion.day:
            refuse(intake, row.line, "trained_on", f"{on} is still to come", "send it when the course is done")
        else:
            mine = training.setdefault(account.login_key, training_of(account.training))
            mine[row.values["course"]] = max(on, mine.get(row.values["course"], on))
    changes = [
        (there[key], {"training": training_json(found), "trained_on": max(found.values())})
        for key, found in training.items()
    ]
    intake.report.counts += change_accounts(intake.connection, intake.occasion, changes)


def _take_rotations(intake: Intake, rows: Sequence[Row]) -> None:
    changes = []
    for row, account in known_accounts(intake, rows):
        if account.kind != "shared":
            refuse(intake, row.line, "login", "is a personal account", "personal passwords stay as they are")
        elif row.values["rotated_on"] > intake.occasion.day:
            refuse(intake, row.line, "rotated_on", "is still to come", "send it when it is done")
        else:
            latest = max(row.values["rotated_on"], account.rotated_on or row.values["rotated_on"])
            changes.append((account, {"rotated_on": latest}))
    intake.report.counts += change_accounts(intake.connection, intake.occasion, changes)


TAKERS |= {
    "accounts": _take_accounts,
    "changes": _take_changes,
    "leavers": _take_leavers,
    "training": _take_training,
    "rotations": _take_rotations,
}
