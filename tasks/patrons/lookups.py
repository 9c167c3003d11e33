"""Looking up whom rows are about: a handful of statements for a whole chunk, never one a person.

What is found goes to the rules of identity.py and survivors.py. A look-up that fails raises: it never means "nobody",
or a failed look-up would create a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import ConfigurationError
from schemas.patrons import Identifier, IncomingPerson
from schemas.register.patron_policy import PatronPolicy
from schemas.warehouse.patrons import core_patron, core_patron_identifier, core_patron_source, core_patron_tombstone
from tasks.patrons.erasure import Tombstone, tombstone_key
from tasks.patrons.identity import IDENTITY_WORDS, Found, HeldIdentifier, PersonId, identifier_use, identify
from tasks.patrons.survivors import Rekey, rekey, survivor_of
from tasks.warehouse.bulk import id_set, text_set

PRIMARY = "primary_id"
REPEATED_WORDS = "another row is about the same person, who is new"
MERGED_WORDS = "the person of this row was merged with another one, whom the source has in a row of its own"


class Placed(NamedTuple):
    """Whom a row is about. Without a person and not quarantined: a new one."""

    person_id: int | None
    rule: str
    """Of identity.py or survivors.py; `repeated`, `merged`: another row is about the same person."""
    why: str
    rekey: Rekey | None = None
    is_quarantined: bool = False


class Holder(NamedTuple):
    """Who has, or had, an identifier."""

    held: HeldIdentifier
    """`person` is the survivor, where the person was merged."""
    source: str
    """Source in which it is a stable id; empty: it only searches."""
    row_person: PersonId
    """Before survivor pointers were followed."""


@dataclass(repr=False)
class LookedUp:
    """What the look-ups found for a chunk of rows."""

    holders: Mapping[tuple[str, str], Sequence[Holder]]
    """By (type, key)."""
    claimed: Mapping[PersonId, frozenset[str]]
    """Of the persons that were found: the sources that have a record of them."""
    tombstones: Mapping[bytes, Tombstone]
    stopped: dict[bytes, Tombstone] = field(default_factory=dict)
    """Tombstones that stopped a row, as they are after it."""


def place(
    connection: Connection,
    institution: str,
    source: str,
    persons: Sequence[IncomingPerson],
    policy: PatronPolicy,
    day: date,
    salt: bytes | None,
) -> list[Placed]:
    """Whom each row is about, in their order; a row that an erased person's tombstone stops is noted on it.

    Two rows that would make the same new person: the second one is `repeated`. Raises `ConfigurationError` where there
    are tombstones and no salt to know them by.
    """
    found = look_up(connection, institution, source, persons, day, salt)
    placed: list[Placed] = []
    new: set[tuple[str, str]] = set()
    for person in persons:
        one = _place_one(person, found, institution, source, policy, day, salt)
        if one.person_id is None and not one.is_quarantined:
            names = _names(person, policy)
            if not new.isdisjoint(names):
                one = Placed(None, "repeated", REPEATED_WORDS, None, True)
            else:
                new.update(names)
        placed.append(one)
    _note_stopped(connection, found.stopped)
    return placed


def _names(person: IncomingPerson, policy: PatronPolicy) -> list[tuple[str, str]]:
    """What tells a new person from others: stable ids, and ids that join or that nobody shares."""
    names = [(each.type, each.key) for each in person.source_ids]
    for each in person.search_ids:
        rule = policy.identifier(each.type)
        if each.type == PRIMARY or rule.joins or rule.is_unique:
            names.append((each.type, each.key))
    return names


def look_up(
    connection: Connection,
    institution: str,
    source: str,
    persons: Sequence[IncomingPerson],
    day: date,
    salt: bytes | None,
) -> LookedUp:
    """Everything that is known of the identifiers of some rows: one statement a type of identifier, and four more."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for person in persons:
        for each in (*person.source_ids, *person.search_ids, *person.rekeyed_from):
            wanted[each.type].add(each.key)
    rows = [row for kind in sorted(wanted) for row in _holders_of(connection, institution, kind, wanted[kind])]
    pointers = _pointers(connection, {row.person_id for row in rows if row.merged_into is not None})
    holders: dict[tuple[str, str], list[Holder]] = defaultdict(list)
    for row in rows:
        survivor = survivor_of(row.person_id, pointers)
        held = HeldIdentifier(row.type, row.key, survivor, row.valid_from, row.valid_to)
        holders[row.type, row.key].append(Holder(held, row.source, row.person_id))
    ids = {each.held.person for some in holders.values() for each in some}
    tombstones = _tombstones(connection, institution, source, salt)
    return LookedUp(holders, _claims(connection, ids), tombstones)


def _holders_of(
    connection: Connection, institution: str, kind: str, keys: Iterable[str]
) -> Sequence[sa.Row[tuple[int, str, str, str, date | None, date | None, int | None]]]:
    asked = text_set(connection, sorted(keys))
    held, person = core_patron_identifier, core_patron
    # Institution and type stand in the set as well: as constants of the statement they make SQLite think that they
    # leave few rows, and walk all of them.
    wanted = (
        sa.select(
            sa.literal(institution, sa.Text).label("institution"),
            sa.literal(kind, sa.Text).label("type"),
            asked.c.value,
        )
        .cte(None)
        .prefix_with("MATERIALIZED")
    )
    return connection.execute(
        sa.select(
            *(held.c[name] for name in ("person_id", "type", "key", "source", "valid_from", "valid_to")),
            person.c.merged_into,
        )
        .join_from(
            wanted,
            held,
            sa.and_(
                held.c.institution == wanted.c.institution,
                held.c.type == wanted.c.type,
                held.c.key == wanted.c.value,
            ),
        )
        .join(person, person.c.person_id == held.c.person_id)
        .where(person.c.state != "erased")
    ).all()


def _pointers(connection: Connection, persons: set[int]) -> dict[int, int]:
    """Survivor pointers from these persons on, to the end of each."""
    pointers: dict[int, int] = {}
    asked: set[int] = set()
    while persons:
        wanted = id_set(connection, persons)
        rows = connection.execute(
            sa.select(core_patron.c.person_id, core_patron.c.merged_into)
            .join_from(wanted, core_patron, core_patron.c.person_id == wanted.c.value)
            .where(core_patron.c.merged_into.is_not(None))
        ).tuples()
        pointers |= {one: survivor for one, survivor in rows if survivor is not None}
        asked |= persons
        persons = {pointers[each] for each in persons if each in pointers} - asked
    return pointers


def _claims(connection: Connection, ids: set[int]) -> dict[int, frozenset[str]]:
    if not ids:
        return {}
    wanted = id_set(connection, ids)
    claimed: dict[int, set[str]] = defaultdict(set)
    for person_id, source in connection.execute(
        sa.select(core_patron_source.c.person_id, core_patron_source.c.source).join_from(
            wanted, core_patron_source, core_patron_source.c.person_id == wanted.c.value
        )
    ):
        claimed[person_id].add(source)
    return {person_id: frozenset(sources) for person_id, sources in claimed.items()}


def _tombstones(connection: Connection, institution: str, source: str, salt: bytes | None) -> dict[bytes, Tombstone]:
    """Those of the source: few, since each lapses."""
    stone = core_patron_tombstone
    rows = connection.execute(
        sa.select(stone.c.tombstone_key, stone.c.erased_on, stone.c.seen_on).where(
            stone.c.institution == institution, stone.c.source == source
        )
    ).all()
    if rows and salt is None:
        raise ConfigurationError(
            "there are tombstones of erased persons, and no salt to know them by",
            remedy="set the salt that was set when they were erased",
        )
    return {bytes(row.tombstone_key): Tombstone(bytes(row.tombstone_key), row.erased_on, row.seen_on) for row in rows}


def _place_one(
    person: IncomingPerson,
    found: LookedUp,
    institution: str,
    source: str,
    policy: PatronPolicy,
    day: date,
    salt: bytes | None,
) -> Placed:
    rekeyed = _rekey(person, found, source, day) if person.rekeyed_from else None
    if rekeyed is not None and rekeyed.is_quarantined:
        return Placed(None, rekeyed.rule, rekeyed.why, rekeyed, True)
    if rekeyed is not None and rekeyed.rule == "rekeyed":
        return Placed(rekeyed.person, rekeyed.rule, rekeyed.why, rekeyed)
    mine, others, is_merged = _sorted_out(person, found, source, day)
    if is_merged:
        return Placed(None, "merged", MERGED_WORDS, None, True)
    searched = (*others, *(each for one in person.search_ids for each in found.holders.get((one.type, one.key), ())))
    searched_ids = {each.held.person for each in searched}
    verdict = identify(
        Found(
            frozenset(mine),
            tuple(each.held for each in searched),
            frozenset(each for each in searched_ids if source in found.claimed.get(each, frozenset())),
            not mine and bool(found.tombstones) and _stops(person, found, institution, source, policy, day, salt),
        ),
        policy,
        day,
    )
    blocked = None
    if verdict.person is not None:
        blocked = _blocked(verdict.person, searched, policy, day)
    elif verdict.is_new:
        blocked = _primary_taken(person, found, day)
    if blocked is not None:
        return Placed(None, blocked, IDENTITY_WORDS[blocked], None, True)  # type: ignore[index]
    return Placed(verdict.person, verdict.rule, verdict.why, None, verdict.is_quarantined)


def _sorted_out(
    person: IncomingPerson, found: LookedUp, source: str, day: date
) -> tuple[set[PersonId], list[Holder], bool]:
    """Persons that the row's stable ids are of; other holders of these ids; whether all are merged away.

    A person whom no source has claimed yet (found in the library system, made at the desk) is who has the id there.
    """
    mine: set[PersonId] = set()
    others: list[Holder] = []
    merged = False
    for one in person.source_ids:
        for each in found.holders.get((one.type, one.key), ()):
            who = each.held.person
            is_ours = each.source == source or not found.claimed.get(who)
            if not is_ours or not each.held.is_valid_on(day):
                others.append(each)
            elif each.row_person != who and source in found.claimed.get(who, frozenset()):
                merged = True
            else:
                mine.add(who)
    return mine, others, merged and not mine


def _rekey(person: IncomingPerson, found: LookedUp, source: str, day: date) -> Rekey | None:
    for old in person.rekeyed_from:
        new = next((each for each in (*person.source_ids, *person.search_ids) if each.type == old.type), None)
        if new is None:
            continue
        had, has = (_of_source(found.holders.get((each.type, each.key), ()), found, source) for each in (old, new))
        done = rekey(had, has, new.type, new.key, day)
        if done.rule != "nobody_had_the_old":
            return done
    return None


def _of_source(holders: Sequence[Holder], found: LookedUp, source: str) -> list[HeldIdentifier]:
    return [
        each.held
        for each in holders
        if each.source == source or (each.source == "" and found.claimed.get(each.held.person, frozenset()) <= {source})
    ]


def _stops(
    person: IncomingPerson,
    found: LookedUp,
    institution: str,
    source: str,
    policy: PatronPolicy,
    day: date,
    salt: bytes | None,
) -> bool:
    is_stopped = False
    for each in person.source_ids:
        key = tombstone_key(institution, source, each.type, each.key, salt or b"")
        stone = found.stopped.get(key) or found.tombstones.get(key)
        if stone is not None and stone.stops_on(day, policy.erasure):
            found.stopped[key] = stone.seen(day)
            is_stopped = True
    return is_stopped


def _blocked(person: PersonId, searched: Sequence[Holder], policy: PatronPolicy, day: date) -> str | None:
    """`taken`, `resting`: the row brings its person an identifier of somebody else; what they have already stays."""
    by_name: dict[tuple[str, str], list[HeldIdentifier]] = defaultdict(list)
    for each in searched:
        if policy.identifier(each.held.type).is_unique:
            by_name[each.held.type, each.held.key].append(each.held)
    for held in by_name.values():
        if any(each.person == person and each.is_valid_on(day) for each in held):
            continue
        use = identifier_use(held, person, policy, day)
        if use == "taken" or use == "resting":
            return use
    return None


def _primary_taken(person: IncomingPerson, found: LookedUp, day: date) -> str | None:
    """A library system has one user with a primary id: a new person never gets one that another person has."""
    ids: list[Identifier] = [each for each in (*person.source_ids, *person.search_ids) if each.type == PRIMARY]
    held = (each.held for one in ids for each in found.holders.get((one.type, one.key), ()))
    return "taken" if any(each.is_valid_on(day) for each in held) else None


def _note_stopped(connection: Connection, stopped: Mapping[bytes, Tombstone]) -> None:
    if stopped:
        connection.execute(
            sa.update(core_patron_tombstone)
            .where(core_patron_tombstone.c.tombstone_key == sa.bindparam("stone"))
            .values(seen_on=sa.bindparam("day")),
            [{"stone": key, "day": stone.seen_on} for key, stone in sorted(stopped.items())],
        )
