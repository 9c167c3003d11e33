"""Who is told of a sweep and of requests: libraries of what expires and has expired, the support desk of the rest."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.outcomes import PlanState
from schemas.warehouse.accounts import core_account, core_account_action, core_account_request, core_account_sweep
from schemas.warehouse.core import core_plan
from tasks.accounts.letters import Letter, Line, Post
from tasks.notices.holds import NO_PAGES, HeldClass, HeldDelivery, Pages, compose_held
from tasks.notices.queue import queue_messages
from tasks.notices.wording import Phrases, Reason, standard_book
from tasks.plans.store import class_column


def tell_of_sweep(connection: Connection, post: Post, sweep_id: int, plan: str | None = None) -> Counter[str]:
    """Queue what a sweep has to tell, or what was done of it once `plan` was approved; again queues nothing."""
    sweep = connection.execute(sa.select(core_account_sweep).where(core_account_sweep.c.sweep_id == sweep_id)).one()
    action, account = core_account_action.c, core_account.c
    rows = connection.execute(
        sa.select(
            action.action, action.rule, action.due_on, account.library, account.login, account.name, account.expires_on,
            action.reason,
        )
        .join(core_account, account.account_id == action.account_id)
        .where(
            action.sweep_id == sweep_id,
            action.state == "applied",
            action.action.in_(["notify", "flag", "expire"]),
            action.plan_hash.is_(None) if plan is None else action.plan_hash == plan,
        )
        .order_by(account.library, account.login_key)
    ).all()  # fmt: skip
    lines: dict[str, list[Line]] = {"expiring": [], "expired": [], "training": [], "flagged": []}
    for row in rows:
        line = Line(row.library, row.login, row.name, row.expires_on)
        if row.action == "expire":
            lines["expired"].append(line)
        elif row.rule.startswith("before_expiry:"):
            lines["expiring"].append(line)
        elif row.action == "notify":
            lines["training"].append(line._replace(day=None, rule=row.rule, about=row.reason.partition(":")[0]))
        else:
            lines["flagged"].append(line._replace(rule=row.rule))
    day, key = sweep.swept_on, f"sweep {sweep_id}{f'|{plan}' if plan else ''}"
    letters: list[Letter] = post.to_libraries("expiring", day, lines["expiring"], key)
    letters += post.to_libraries("expired", day, lines["expired"], key)
    letters += post.to_support("training", day, lines["training"], key)
    letters += post.to_support("flagged", day, lines["flagged"], key)
    return post.send(connection, letters)


def tell_of_hold(connection: Connection, post: Post, sweep_id: int, pages: Pages = NO_PAGES) -> Counter[str]:
    """Tell the operator what of a sweep waits for approval; each plan once."""
    plan = connection.execute(
        sa.select(core_account_sweep.c.plan_hash).where(core_account_sweep.c.sweep_id == sweep_id)
    ).scalar()
    rows = connection.execute(
        sa.select(core_plan, class_column.label("change_class"))
        .where(core_plan.c.plan_hash == plan, core_plan.c.state == PlanState.HELD)
        .order_by(class_column)
    ).all()
    if not rows:
        return Counter()
    catalogue = post.register.catalogue
    held = HeldDelivery(
        recipient=catalogue.operator,
        language=catalogue.language,
        delivery_id=0,
        supplier_name=post.system.name,
        file_name="",
        plan_hash=rows[0].plan_hash,
        is_whole=False,
        classes=tuple(
            HeldClass(row.change_class, row.planned, row.population, row.limit, Reason(row.change_class, row.reason))
            for row in rows
        ),
        words="held_accounts",
        asked=rows[0].created_at.isoformat(),
    )
    message = compose_held(held, catalogue.name, catalogue.sender, pages)
    return queue_messages(connection, [message], sender=catalogue.sender, now=post.now, run_id=post.run_id)


def tell_of_requests(connection: Connection, post: Post, import_id: int, day: date) -> Counter[str]:
    """Answer the requests of a file that lack something, a letter to each who asked; again queues nothing."""
    request = core_account_request.c
    rows = connection.execute(
        sa.select(core_account_request)
        .where(request.import_id == import_id, request.answer != "")
        .order_by(request.line)
    ).all()
    letters = []
    for to in sorted({row.answer_to for row in rows}):
        mine = [row for row in rows if row.answer_to == to]
        recipient = to or post.system.support
        place = mine[0].library
        library = post.register.library_by_sigel.get(place)
        language = library.language if library and to else post.system.language
        name = library.name if library else place
        phrases = standard_book().language(language)
        lines = tuple(Line(row.library, row.login_key, about=_lacking(row, phrases)) for row in mine)
        letters.append(Letter("request", recipient, language, name, day, lines, f"import {import_id}|{to}"))
    return post.send(connection, letters)


def _lacking(row: sa.Row[Any], phrases: Phrases) -> str:
    """What lacks, and which roles are not given, in the reader's language. Where nothing lacks the rest was done."""
    found = []
    missing = orjson.loads(row.missing)
    for each in missing:
        why, _, role = each.partition(":")
        found.append(
            f"{role}: {phrases.say(f'accounts.rule.{why}')}" if role else phrases.say(f"accounts.missing.{why}")
        )
    if missing and all(":" in each for each in missing):
        found.append(phrases.say("accounts.request.done_but"))
    return "; ".join(found) or str(row.answer)
