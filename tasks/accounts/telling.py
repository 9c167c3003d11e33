"""Who is told of a sweep and of requests: libraries of what expires and has expired, the support desk of the rest."""

from __future__ import annotations

from collections import Counter
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.accounts import core_account, core_account_action, core_account_request, core_account_sweep
from tasks.accounts.letters import Letter, Line, Post


def tell_of_sweep(connection: Connection, post: Post, sweep_id: int) -> Counter[str]:
    """Queue what a sweep has to tell; again queues nothing."""
    sweep = connection.execute(sa.select(core_account_sweep).where(core_account_sweep.c.sweep_id == sweep_id)).one()
    action, account = core_account_action.c, core_account.c
    rows = connection.execute(
        sa.select(
            action.action, action.rule, action.due_on, account.library, account.login, account.name, account.expires_on,
            action.reason,
        )
        .join(core_account, account.account_id == action.account_id)
        .where(action.sweep_id == sweep_id, action.state == "applied", action.action.in_(["notify", "flag", "expire"]))
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
    day, key = sweep.swept_on, f"sweep {sweep_id}"
    letters: list[Letter] = post.to_libraries("expiring", day, lines["expiring"], key)
    letters += post.to_libraries("expired", day, lines["expired"], key)
    letters += post.to_support("training", day, lines["training"], key)
    letters += post.to_support("flagged", day, lines["flagged"], key)
    return post.send(connection, letters)


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
        lines = tuple(
            Line(row.library, row.login_key, about=f"{row.login_key}: {row.answer}")
            for row in rows
            if row.answer_to == to
        )
        recipient = to or post.system.support
        place = lines[0].library
        library = post.register.library_by_sigel.get(place)
        language = library.language if library and to else post.system.language
        name = library.name if library else place
        letters.append(Letter("request", recipient, language, name, day, lines, f"import {import_id}|{to}"))
    return post.send(connection, letters)
