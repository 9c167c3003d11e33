"""A person's scalar values are planned: who of the sources speaks for a path, what the merge decides, what it does."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from schemas.patrons import ABSENT, Value
from schemas.register.patron_limits import PatronChange
from tasks.patrons.choosing import Chosen, SourceValue, choose
from tasks.patrons.merge import WORDS, Circumstances, Decision, PersonState, merge_person, same
from tasks.patrons.occasion import Change, HistoryRow, Occasion
from tasks.patrons.plan_person_state import BY_MERGE, PersonInPlan
from tasks.patrons.records import LockRow, SourceRecord


def choice(sources: Mapping[str, SourceRecord], path: str, occasion: Occasion) -> Chosen | None:
    """Who speaks for a path. A source that says the person has left speaks only where no other one does.

    That an identity is protected is believed of whichever source says so.
    """
    if len(sources) == 1:
        ((code, record),) = sources.items()
        said = record.values.get(path)
        return None if said is None else Chosen(code, said.value, "only_source")
    voices = [
        (SourceValue(code, said.value, said.since), record.sighting.left_on is None)
        for code, record in sources.items()
        if (said := record.values.get(path)) is not None
    ]
    there = [voice for voice, is_there in voices if is_there]
    heard = there or [voice for voice, _ in voices]
    if path == "is_confidential":
        heard = [each for each in heard if each.value is True] or heard
    return choose(heard, occasion.ranking(path))


def merge_scalars(person: PersonInPlan, paths: Iterable[str], *, is_row: bool = True) -> frozenset[str]:
    """Merge what the sources say of `paths` now; returns the paths of which a change is held.

    `is_row`: a source speaks. Otherwise time or staff ask, and an edit of what a source always decides stands until
    that source speaks.
    """
    occasion, rules = person.occasion, person.rules
    in_force = person.in_force(rules)
    locks = person.scalar_locks()
    incoming: dict[str, Value | None] = {}
    said_before: dict[str, Value | None] = {}
    spoken: dict[str, Chosen] = {}
    repeated = _repeated(person, locks)
    for path in paths:
        if path in rules.passive or path in repeated:
            continue
        if not is_row and path not in locks and _stands(person, path, in_force[path].mode):
            continue
        found = choice(person.sources, path, occasion)
        if found is None or found.value is ABSENT:
            continue
        incoming[path] = found.value
        spoken[path] = found
        was = choice(person.before.sources, path, occasion)
        if was is not None and was.value is not ABSENT:
            said_before[path] = was.value
    state = PersonState(said_before, person.written, person.current, locks)
    now = Circumstances(
        person.day,
        occasion.code,
        is_desk_stub=person.is_desk_stub,
        affiliation_changed=_affiliation_changed(person),
    )
    several = len(person.sources) > 1
    chosen_by = {path: each.rule for path, each in spoken.items()} if several else None
    decisions = merge_person(incoming, state, in_force, now, chosen_by)
    return frozenset(
        each.path for each in decisions if not _carry_out(person, each._replace(source=spoken[each.path].source))
    )


def _repeated(person: PersonInPlan, locks: Container[str]) -> frozenset[str]:
    """Paths of which the only source says what is there and was written: `merge_person` would pass them by, too.

    Most paths of most persons are such, and asking who speaks for each costs more than all the rest.
    """
    if len(person.sources) != 1:
        return frozenset()
    (record,) = person.sources.values()
    written, current = person.written, person.current
    return frozenset(
        path
        for path, said in record.values.items()
        if said.value == current.get(path, ABSENT) and said.value == written.get(path, ABSENT) and path not in locks
    )


def _stands(person: PersonInPlan, path: str, mode: str) -> bool:
    return mode == "source_wins" and not same(person.value(path), person.written.get(path, ABSENT))


def _affiliation_changed(person: PersonInPlan) -> bool:
    was = _affiliation(person.before.sources, person.occasion)
    now = _affiliation(person.sources, person.occasion)
    return was is not None and now is not None and was != now


def _affiliation(sources: Mapping[str, SourceRecord], occasion: Occasion) -> tuple[str, str | None] | None:
    """Who speaks for the user group, and under which category; None: nobody does."""
    found = choice(sources, "user_group", occasion)
    if found is None:
        return None
    record = sources[found.source]
    return found.source, record.category or record.user_group


def class_of(decision: Decision) -> PatronChange | None:
    """The class of change under which a decision is guarded. What a pin restores is free."""
    if not decision.changes or decision.rule in ("pinned", "pinned_by_policy"):
        return None
    if decision.before is ABSENT or decision.before is None:
        return None
    if decision.action == "clear":
        return "clear"
    return "group_change" if decision.path == "user_group" else None


def _carry_out(person: PersonInPlan, decision: Decision) -> bool:
    """False: it is held, and nothing of it is done."""
    path, change_class = decision.path, class_of(decision)
    if change_class in person.held:
        person.change(_row(decision, "held", change_class))
        return False
    if decision.written is not ABSENT:
        person.written[path] = decision.written
    if decision.changes and decision.after is not ABSENT:
        person.set_value(path, decision.after)
        person.change(_row(decision, "applied", change_class))
        if decision.overwrites_edit and decision.before is not ABSENT:
            person.history.append(HistoryRow("", path, "", "", decision.before, person.day, person.day))
    elif decision.after is not ABSENT:
        person.current[path] = decision.after
    if decision.lock == "release":
        person.end_automatic(path)
    elif decision.lock == "open":
        held = None if decision.after is ABSENT else decision.after
        person.open_lock(LockRow(path, "automatic", held, decision.said, BY_MERGE, WORDS[decision.rule]))
    if decision.wants_review:
        person.change(_row(decision, "review", None))
    elif decision.lock == "open":
        person.change(_row(decision, "suppressed", None))
    return True


def _row(decision: Decision, done: str, change_class: PatronChange | None) -> Change:
    new = decision.after if done in ("applied", "held") else decision.said
    reason = f"{decision.why}; staff are told" if decision.notifies else decision.why
    return Change(
        decision.path,
        "",
        decision.before,
        new,
        decision.source,
        decision.rule,
        change_class,
        done,  # type: ignore[arg-type]
        reason,
    )
