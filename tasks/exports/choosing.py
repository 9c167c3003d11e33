"""Which bibs a profile's file is about, and why: one statement over a window, in the order of their ids.

Decided in SQL, set by set: what changed in the window by the indexes of change numbers, then what of it the profile's
libraries hold, or held. What belongs here is that choice; what becomes of a bib in the file is `composing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.register.export_profiles import ExportProfile
from schemas.warehouse.core import core_bib, core_bib_version, core_holding, core_holding_version
from schemas.warehouse.raw import raw_delivery
from tasks.exports.window import Window

ONLINE = ("online", "audio_online", "video_online")
"""Carriers (tasks/marc/carrier.py) of e-resources."""


class Reason(StrEnum):
    """What becomes of a bib in the file."""

    WRITTEN = "written"
    DELETED = "deleted"
    MERGED = "merged"
    UNHELD = "unheld"
    """None of the profile's libraries holds it any more: a virtual delete."""


class Chosen(NamedTuple):
    """A bib, and what becomes of it."""

    bib_id: int
    reason: Reason


def chosen_bibs(
    connection: Connection, profile: ExportProfile, window: Window, *, at_once: int
) -> Iterator[list[Chosen]]:
    """The bibs of the file by id, `at_once` at a time; memory does not grow with their number."""
    if window.is_empty:
        return
    statement = whole_bibs(profile) if window.is_whole else changed_bibs(profile, window)
    # A cursor of the server's on PostgreSQL: other statements of the same snapshot come between its rows.
    rows = connection.execution_options(stream_results=True, max_row_buffer=at_once).execute(statement)
    try:
        while some := rows.fetchmany(at_once):
            yield [Chosen(row[0], Reason(row[1])) for row in some]
    finally:
        rows.close()


def is_mine(profile: ExportProfile, holding: sa.FromClause = core_holding) -> sa.ColumnElement[bool]:
    """Whether a holding is one that the profile sends."""
    wanted: list[sa.ColumnElement[bool]] = []
    if not profile.is_everything:
        wanted.append(holding.c.sigel.in_(profile.libraries))
    if not profile.hidden_holdings:
        wanted.append(holding.c.is_visible)
    return sa.and_(sa.true(), *wanted)


def fits(profile: ExportProfile) -> sa.ColumnElement[bool]:
    """Levels and carriers that the profile wants."""
    wanted: list[sa.ColumnElement[bool]] = []
    if profile.drop_levels:
        wanted.append(core_bib.c.encoding_level.not_in(profile.drop_levels))
    if profile.e_resources != "all":
        is_online = core_bib.c.carrier.in_(ONLINE)
        wanted.append(is_online if profile.e_resources == "only" else sa.not_(is_online))
    return sa.and_(sa.true(), *wanted)


def _held(profile: ExportProfile) -> sa.ColumnElement[bool]:
    """Whether one of the profile's libraries holds the bib now."""
    if profile.is_everything:
        return sa.true()
    return sa.exists().where(
        core_holding.c.bib_id == core_bib.c.bib_id, sa.not_(core_holding.c.is_deleted), is_mine(profile)
    )


def whole_bibs(profile: ExportProfile) -> sa.Select[tuple[int, str]]:
    """All that the profile's libraries hold; of what is gone nothing is said, the receiver never had it."""
    wanted = sa.and_(sa.not_(core_bib.c.is_deleted), _held(profile), fits(profile))
    return (
        sa.select(core_bib.c.bib_id, sa.literal(Reason.WRITTEN.value).label("reason"))
        .where(wanted)
        .order_by(core_bib.c.bib_id)
    )


def changed_bibs(profile: ExportProfile, window: Window, only: int | None = None) -> sa.Select[tuple[int, str]]:
    """(bib_id, reason) of what changed in a window, by id; of one bib alone where `only` names it."""
    touched = _touched(profile, window, only).subquery("touched")
    t, triggers = touched.c, profile.triggers
    held = _held(profile)
    counts = [
        t[name] == 1
        for name in ("bib_created", "bib_updated", "holding_created", "holding_updated")
        if getattr(triggers, name)
    ]
    gone = sa.and_(core_bib.c.is_deleted, t.bib_updated == 1, _was_sent(profile, window))
    unheld: sa.ColumnElement[bool] = sa.false()
    if not profile.is_everything:
        before = _held_before(profile, window)
        unheld = sa.and_(sa.not_(core_bib.c.is_deleted), t.holding_updated == 1, sa.not_(held), before)
    written = sa.and_(sa.not_(core_bib.c.is_deleted), held, sa.or_(sa.false(), *counts))
    reason = sa.case(
        (sa.and_(gone, core_bib.c.merged_into.is_not(None)), Reason.MERGED.value),
        (gone, Reason.DELETED.value),
        (written, Reason.WRITTEN.value),
        (unheld, Reason.UNHELD.value),
    ).label("reason")
    found = (
        sa.select(core_bib.c.bib_id, reason)
        .select_from(touched)
        .join(core_bib, core_bib.c.bib_id == t.bib_id)
        .where(fits(profile), sa.true() if only is None else core_bib.c.bib_id == only)
        .subquery("found")
    )
    return sa.select(found.c.bib_id, found.c.reason).where(found.c.reason.is_not(None)).order_by(found.c.bib_id)


def _touched(profile: ExportProfile, window: Window, only: int | None) -> sa.Select[tuple[int, int, int, int, int]]:
    """(bib_id, bib_created, bib_updated, holding_created, holding_updated): each bib once, with 1 for what happened."""
    parts = [_touched_bibs(profile, window, only), *_touched_holdings(profile, window, only)]
    every = sa.union_all(*parts).subquery("every")
    names = ("bib_created", "bib_updated", "holding_created", "holding_updated")
    sums = [sa.func.max(every.c[name]).label(name) for name in names]
    return sa.select(every.c.bib_id, *sums).group_by(every.c.bib_id)


def _in(window: Window, table: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.change_no > window.after, table.c.change_no <= window.to)


def _changed_ids(
    window: Window, table: sa.Table, versions: sa.Table, key: str, among: sa.Select[tuple[int]] | None
) -> sa.Subquery:
    """Ids of what changed in the window, of those `among`. What changed again behind it is known by before-images."""

    def is_asked(column: sa.Column[int]) -> sa.ColumnElement[bool]:
        return sa.true() if among is None else column.in_(among)

    now = sa.select(table.c[key].label("id")).where(_in(window, table), is_asked(table.c[key]))
    if not window.is_past:
        return now.subquery(f"changed_{key}")
    then = sa.select(versions.c[key].label("id")).where(_in(window, versions), is_asked(versions.c[key]))
    return sa.union(now, then).subquery(f"changed_{key}")


def _is_new(window: Window, table: sa.Table, versions: sa.Table, key: str) -> sa.ColumnElement[int]:
    """1 where the first version of a bib or holding was made in the window."""
    first = versions.alias("first")
    was_made = sa.exists().where(first.c[key] == table.c[key], first.c.version == 1, first.c.change_no > window.after)
    is_first = sa.and_(table.c.version == 1, table.c.created_at == table.c.updated_at)
    return sa.case((sa.or_(is_first, was_made), 1), else_=0)


def _touched_bibs(
    profile: ExportProfile, window: Window, only: int | None
) -> sa.Select[tuple[int, int, int, int, int]]:
    among = None if only is None else sa.select(sa.literal(only))
    changed = _changed_ids(window, core_bib, core_bib_version, "bib_id", among)
    is_new = _is_new(window, core_bib, core_bib_version, "bib_id")
    # Gone is gone, whoever did it.
    by_these = sa.or_(core_bib.c.source.in_(profile.triggers.sources), core_bib.c.is_deleted)
    by = by_these if profile.triggers.sources else sa.true()
    return (
        sa.select(
            core_bib.c.bib_id,
            is_new.label("bib_created"),
            (sa.case((core_bib.c.is_deleted, 1), else_=1 - is_new)).label("bib_updated"),
            sa.literal(0).label("holding_created"),
            sa.literal(0).label("holding_updated"),
        )
        .select_from(changed)
        .join(core_bib, core_bib.c.bib_id == changed.c.id)
        .where(by)
    )


def _touched_holdings(
    profile: ExportProfile, window: Window, only: int | None
) -> Iterator[sa.Select[tuple[int, int, int, int, int]]]:
    """Bibs whose holdings changed, and bibs that a holding was moved away from."""
    among = None if only is None else holdings_ever(only)
    changed = _changed_ids(window, core_holding, core_holding_version, "holding_id", among)
    is_new = _is_new(window, core_holding, core_holding_version, "holding_id")
    # Something that went is `holding_updated`, also where it came in the same window.
    is_created = sa.case((core_holding.c.is_deleted, 0), else_=is_new)
    yield (
        sa.select(
            core_holding.c.bib_id,
            sa.literal(0).label("bib_created"),
            sa.literal(0).label("bib_updated"),
            is_created.label("holding_created"),
            (1 - is_created).label("holding_updated"),
        )
        .select_from(changed)
        .join(core_holding, core_holding.c.holding_id == changed.c.id)
        .where(is_mine(profile), _is_by(profile))
    )
    image = core_holding_version
    yield (
        sa.select(image.c.bib_id, sa.literal(0), sa.literal(0), sa.literal(0), sa.literal(1))
        .select_from(changed)
        .join(core_holding, core_holding.c.holding_id == changed.c.id)
        .join(image, image.c.holding_id == changed.c.id)
        .where(is_mine(profile), image.c.bib_id != core_holding.c.bib_id, _stood_in(window))
    )


def holdings_ever(bib_id: int) -> sa.Select[tuple[int]]:
    """Ids of the holdings that a bib has or had."""
    holdings = sa.union(
        sa.select(core_holding.c.holding_id).where(core_holding.c.bib_id == bib_id),
        sa.select(core_holding_version.c.holding_id).where(core_holding_version.c.bib_id == bib_id),
    ).subquery("holdings")
    return sa.select(holdings.c.holding_id)


def _is_by(profile: ExportProfile) -> sa.ColumnElement[bool]:
    """Whether a holding was changed last by one of the trigger's sources; what nobody's delivery did counts always."""
    if not profile.triggers.sources:
        return sa.true()
    others = sa.exists().where(
        raw_delivery.c.delivery_id == core_holding.c.delivery_id,
        raw_delivery.c.sender.not_in(profile.triggers.sources),
    )
    return sa.or_(core_holding.c.is_deleted, sa.not_(others))


def _stood_in(window: Window) -> sa.ColumnElement[bool]:
    """Whether a before-image of a holding was true at some moment of the window: made in it, or ended in it."""
    image, following = core_holding_version, core_holding_version.alias("following")
    ended_before = sa.exists().where(
        following.c.holding_id == image.c.holding_id,
        following.c.version == image.c.version + 1,
        following.c.change_no <= window.after,
    )
    is_last_image = image.c.version + 1 == core_holding.c.version
    ended = sa.or_(is_last_image, sa.not_(ended_before))
    return sa.or_(_in(window, image), sa.and_(image.c.change_no <= window.after, ended))


def _held_before(profile: ExportProfile, window: Window) -> sa.ColumnElement[bool]:
    """Whether one of the profile's libraries held the bib before the window: otherwise nobody has it to delete."""
    image, owner = core_holding_version, core_holding.alias("owner")
    return sa.exists().where(
        image.c.bib_id == core_bib.c.bib_id,
        image.c.change_no <= window.after,
        sa.not_(image.c.is_deleted),
        owner.c.holding_id == image.c.holding_id,
        is_mine(profile, owner),
    )


def _was_sent(profile: ExportProfile, window: Window) -> sa.ColumnElement[bool]:
    """Whether the receiver may have a bib that is gone: it was there before the window, and was theirs."""
    first = core_bib_version.alias("first_bib")
    came_in_window = sa.exists().where(
        first.c.bib_id == core_bib.c.bib_id, first.c.version == 1, first.c.change_no > window.after
    )
    if profile.is_everything:
        return sa.not_(came_in_window)
    # Each by the index that has those holdings alone.
    gone = sa.exists().where(core_holding.c.bib_id == core_bib.c.bib_id, core_holding.c.is_deleted, is_mine(profile))
    there = sa.or_(_held(profile), gone)
    image, owner = core_holding_version, core_holding.alias("former_owner")
    formerly = sa.exists().where(
        image.c.bib_id == core_bib.c.bib_id, owner.c.holding_id == image.c.holding_id, is_mine(profile, owner)
    )
    return sa.and_(sa.not_(came_in_window), sa.or_(there, formerly))


def ids_of(chosen: Sequence[Chosen], *reasons: Reason) -> list[int]:
    """Ids of the bibs chosen for one of `reasons`."""
    return [each.bib_id for each in chosen if each.reason in reasons]
