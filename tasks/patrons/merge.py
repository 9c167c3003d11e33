"""The merge: what becomes of one value of a person when a source speaks, and why. Lists are in items.py.

The table of docs/patron-merge.md, line by line. B is what the source said before, I what it says now, W what Samkat
wrote last *for the source*, C what is there now. A value that is kept against the source never becomes W: so it
counts as edited on every later night, until the source comes round to it or a person releases it.

Before any of this runs, a person whose slice of the file has the same hash is left out (docs/patron-merge.md says
when that is allowed). What is left is many values that nobody touched: `merge_person` passes those by first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, NamedTuple, TypeAlias
from unicodedata import normalize

from schemas.patrons import ABSENT, Value
from tasks.patrons.protection import Lock, RuleInForce, Stated

Rule: TypeAlias = Literal[
    "not_carried",
    "new_person",
    "nothing_there",
    "pinned",
    "pinned_by_policy",
    "immutable",
    "create_only",
    "computed",
    "lifecycle",
    "never",
    "null_not_allowed",
    "source_wins",
    "affiliation_changed",
    "untouched",
    "converged",
    "edited",
    "edited_before",
    "conflict",
    "conflict_taken",
    "desk_stub",
]
WORDS: Mapping[Rule, str] = {
    "not_carried": "the source does not carry it",
    "new_person": "the person is new",
    "nothing_there": "nothing was there yet",
    "pinned": "it is protected",
    "pinned_by_policy": "it is protected for the institution or group",
    "immutable": "only a rekey changes it",
    "create_only": "only a new person gets it from the source",
    "computed": "Samkat works it out",
    "lifecycle": "only a step of the lifecycle changes it",
    "never": "no source changes it",
    "null_not_allowed": "the source says that there is nothing, which may not clear it",
    "source_wins": "the source always decides",
    "affiliation_changed": "the affiliation has changed, so the source decides",
    "untouched": "nobody has edited it since Samkat wrote it",
    "converged": "the source says what is there",
    "edited": "somebody edited it, and the source only repeats itself",
    "edited_before": "it was edited earlier, and the source only repeats itself",
    "conflict": "somebody edited it, and the source says something new",
    "conflict_taken": "somebody edited it, and the source's new value is taken by policy",
    "desk_stub": "the desk made the person, to wait for the source",
}


class PathState(NamedTuple):
    """What is known of a path before the source speaks: B, W, C and the lock."""

    said_before: Stated = ABSENT
    written: Stated = ABSENT
    current: Stated = ABSENT
    lock: Lock | None = None


class Circumstances(NamedTuple):
    """What else of a person and a run decides."""

    day: date
    source: str
    is_new: bool = False
    is_desk_stub: bool = False
    """Made at the desk and waiting for the first feed: nothing there counts as edited."""
    affiliation_changed: bool = False


class Decision(NamedTuple):
    """What becomes of a path. A row that explains itself: `why` has the words, none of them the person's."""

    path: str
    rule: Rule
    action: Literal["keep", "write", "clear"]
    before: Stated
    said: Stated
    after: Stated
    written: Stated
    """W from now on."""
    source: str
    lock: Literal["none", "open", "release"] = "none"
    wants_review: bool = False
    overwrites_edit: bool = False
    """A local edit is lost here: it goes to the log with its value."""
    notifies: bool = False
    chosen_by: str = ""
    """Of several sources: the rule that chose this one (choosing.py)."""

    @property
    def changes(self) -> bool:
        """Whether the value there is another one afterwards."""
        return self.action != "keep"

    @property
    def why(self) -> str:
        """In words, for people; says nothing about the person."""
        done = {"keep": "kept", "write": "written", "clear": "cleared"}[self.action]
        text = f"{self.path} {done}: {WORDS[self.rule]}"
        if self.chosen_by:
            text += f"; {self.source} speaks, {self.chosen_by}"
        more = {"open": "protected from now on", "release": "automatic protection ended", "none": ""}[self.lock]
        marks = (
            (more, bool(more)),
            ("a local edit is overwritten", self.overwrites_edit),
            ("a person should look", self.wants_review),
        )
        return "; ".join([text, *(words for words, holds in marks if holds)])

    def __repr__(self) -> str:
        return f"Decision({self.path}, {self.rule}, {self.action})"


def same(one: Stated, other: Stated) -> bool:
    """Whether two are the same: absent, null and value are three things; texts but for blanks at the ends and NFC."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    return one == other or (isinstance(one, str) and isinstance(other, str) and _plain(one) == _plain(other))


def _plain(text: str) -> str:
    return (text if text.isascii() else normalize("NFC", text)).strip()


def decide(path: str, incoming: Stated, state: PathState, rule: RuleInForce, now: Circumstances) -> Decision:
    """The table for one path, top to bottom; the first line that fits decides."""
    if incoming is ABSENT:
        return _keep("not_carried", path, incoming, state, now)
    if state.current is ABSENT and state.written is not ABSENT:
        # Exports leave empty elements out. Samkat wrote it, it is gone: somebody cleared it.
        state = state._replace(current=None)
    lock = state.lock if state.lock is not None and state.lock.holds_on(now.day) else None
    if lock is not None and lock.kind == "pin":
        return _pinned("pinned", path, incoming, state, lock.held, now)
    is_there = state.current is not ABSENT and not now.is_new
    if rule.protected_for is not None and is_there and (lock is None or lock.kind != "exempt"):
        return _pinned("pinned_by_policy", path, incoming, state, state.current, now)
    decided = _by_fixed_mode(path, incoming, state, rule, now, is_there)
    if decided is not None:
        return decided
    if incoming is None and not rule.may_clear and state.current is not None and is_there:
        return _keep("null_not_allowed", path, incoming, state, now)
    if rule.mode == "source_wins" or (rule.follows_affiliation and now.affiliation_changed):
        name: Rule = "source_wins" if rule.mode == "source_wins" else "affiliation_changed"
        return _take(name, path, incoming, state, now)
    if not is_there:
        return _take("new_person" if now.is_new else "nothing_there", path, incoming, state, now)
    return _unless_edited(path, incoming, state, rule, now, lock)


def _by_fixed_mode(
    path: str, incoming: Stated, state: PathState, rule: RuleInForce, now: Circumstances, is_there: bool
) -> Decision | None:
    """The modes in which no value of a person who is there is ever taken from a source."""
    if rule.mode == "computed" or rule.mode == "lifecycle" or rule.mode == "never":
        return _keep(rule.mode, path, incoming, state, now)
    if rule.mode == "create_only" or rule.mode == "immutable":
        if now.is_new:
            return _take("new_person", path, incoming, state, now)
        kept = _keep(rule.mode, path, incoming, state, now)
        is_other = rule.mode == "immutable" and is_there and not _same_id(incoming, state.current)
        return kept._replace(wants_review=is_other and not same(incoming, state.said_before))
    return None


def _same_id(one: Stated, other: Stated) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return _plain(one).casefold() == _plain(other).casefold()
    return one == other


def _unless_edited(
    path: str, incoming: Stated, state: PathState, rule: RuleInForce, now: Circumstances, lock: Lock | None
) -> Decision:
    """`local_if_edited`, for a path that is there."""
    current = state.current
    if same(incoming, current):
        return _take("converged", path, incoming, state, now)
    is_locked = lock is not None and lock.kind == "automatic"
    if not is_locked and state.written is not ABSENT and same(current, state.written):
        return _take("untouched", path, incoming, state, now)
    if now.is_desk_stub and state.written is ABSENT:
        return _take("desk_stub", path, incoming, state, now)
    # An exemption is a lock, too, and must not be lost under an automatic one: without W the edit is kept anyway.
    lock_now: Literal["none", "open"] = "none" if lock is not None else "open"
    if same(incoming, state.said_before):
        return _keep("edited_before" if is_locked else "edited", path, incoming, state, now)._replace(lock=lock_now)
    if rule.takes_conflicts:
        return _take("conflict_taken", path, incoming, state, now)._replace(notifies=True)
    # Locked at once: tomorrow the source repeats itself, and that night must plan nothing.
    return _keep("conflict", path, incoming, state, now)._replace(lock=lock_now, wants_review=True)


def _keep(rule: Rule, path: str, incoming: Stated, state: PathState, now: Circumstances) -> Decision:
    return Decision(path, rule, "keep", state.current, incoming, state.current, state.written, now.source)


def _pinned(rule: Rule, path: str, incoming: Stated, state: PathState, held: Stated, now: Circumstances) -> Decision:
    """The held value stands, null included. W becomes the held value: after a release the source may write again."""
    current = state.current
    differs = not same(current, held) and not (current is ABSENT and held is None)
    return Decision(
        path,
        rule,
        "keep" if not differs else "clear" if held is None else "write",
        current,
        incoming,
        held if differs else current,
        held,
        now.source,
        wants_review=not same(incoming, state.said_before) and (rule == "pinned" or not same(incoming, held)),
        overwrites_edit=differs and _is_edited(state, now),
    )


def _take(rule: Rule, path: str, incoming: Stated, state: PathState, now: Circumstances) -> Decision:
    """The source's value; what is there already is not written again."""
    current = state.current
    lock: Literal["none", "release"] = (
        "release" if state.lock is not None and state.lock.kind == "automatic" else "none"
    )
    if same(incoming, current) or (incoming is None and current is ABSENT):
        return Decision(path, rule, "keep", current, incoming, current, incoming, now.source, lock)
    return Decision(
        path,
        rule,
        "clear" if incoming is None else "write",
        current,
        incoming,
        incoming,
        incoming,
        now.source,
        lock,
        overwrites_edit=_is_edited(state, now),
    )


def _is_edited(state: PathState, now: Circumstances) -> bool:
    if state.current is ABSENT or now.is_new:
        return False
    if state.written is ABSENT:
        return state.current is not None and not now.is_desk_stub
    return not same(state.current, state.written)


@dataclass(frozen=True, slots=True)
class PersonState:
    """B, W, C and the locks of a person, by path. No key: absent. Values are never shown in its `repr`."""

    said_before: Mapping[str, Value | None] = field(default_factory=dict, repr=False)
    written: Mapping[str, Value | None] = field(default_factory=dict, repr=False)
    current: Mapping[str, Value | None] = field(default_factory=dict, repr=False)
    locks: Mapping[str, Lock] = field(default_factory=dict)

    def of(self, path: str) -> PathState:
        """What is known of one path."""
        get = self.said_before.get(path, ABSENT), self.written.get(path, ABSENT), self.current.get(path, ABSENT)
        return PathState(*get, self.locks.get(path))


def merge_person(
    incoming: Mapping[str, Value | None],
    state: PersonState,
    rules: Mapping[str, RuleInForce],
    now: Circumstances,
    chosen_by: Mapping[str, str] | None = None,
) -> list[Decision]:
    """What the source's scalar values do to a person: the decisions that change, lock, ask or tell something.

    `rules` come from `rules_in_force`; `chosen_by` names, by path, the rule that chose among several sources. The same
    again, once `after_merge` has been stored, decides nothing.
    """
    written, current, locks = state.written, state.current, state.locks
    decisions = []
    for path, value in incoming.items():
        # It is there and Samkat wrote it: by far the most common case, so it costs three look-ups and no more.
        # Whatever the mode, nothing follows then. (No value is ABSENT: a path that is not there goes on.)
        if value == current.get(path, ABSENT) and value == written.get(path, ABSENT) and path not in locks:
            continue
        known = state.of(path)
        decision = decide(path, value, known, rules[path], now)
        if _tells_something(decision, known):
            chosen = chosen_by.get(path, "") if chosen_by else ""
            decisions.append(decision._replace(chosen_by=chosen) if chosen else decision)
    return decisions


def _tells_something(decision: Decision, known: PathState) -> bool:
    return (
        decision.action != "keep"
        or decision.lock != "none"
        or decision.wants_review
        or not same(decision.written, known.written)
    )


def after_merge(incoming: Mapping[str, Value | None], state: PersonState, decisions: list[Decision]) -> PersonState:
    """What is known of the person once the decisions are carried out and what the source said is stored."""
    written, current, locks = dict(state.written), dict(state.current), dict(state.locks)
    for decision in decisions:
        for stored, value in ((written, decision.written), (current, decision.after)):
            if value is not ABSENT:
                stored[decision.path] = value
        if decision.lock == "release":
            locks.pop(decision.path, None)
        elif decision.lock == "open":
            held = None if decision.after is ABSENT else decision.after
            locks[decision.path] = Lock("automatic", held, decision.said, by="merge", reason=WORDS[decision.rule])
    said = {**state.said_before, **incoming}
    return replace(state, said_before=said, written=written, current=current, locks=locks)
