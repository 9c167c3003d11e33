"""What a sweep does with one account on one day: at most one step of its status, and what is told or flagged.

Each action has its rule, the dates that the rule used, and the reason in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias

from schemas.register.account_guards import ACCOUNT_CHANGES, AccountChange
from schemas.register.account_rules import AccountStatus, AccountSystem
from tasks.accounts.ending import CONTRADICTIONS, END_WORDS
from tasks.accounts.facts import FACT_WORDS, Facts
from tasks.accounts.roles import FINDING_WORDS, judge_roles
from tasks.accounts.standing import STANDING_WORDS, Standing, next_due, standing

ActionName: TypeAlias = Literal["expire", "deactivate", "reactivate", "activate", "retire", "notify", "flag"]
STEPS: Final[tuple[ActionName, ...]] = ("expire", "deactivate", "reactivate", "activate", "retire")
_SEVERITY: Final[Mapping[AccountStatus, int]] = {"active": 0, "waiting": 1, "expired": 2, "inactive": 3, "retired": 4}


class Action(NamedTuple):
    """One thing that a sweep does, or tells."""

    action: ActionName
    rule: str
    reason: str
    due_on: date
    """Day on which it was due; about what day it tells, where it only tells."""
    used: Mapping[str, date]

    @property
    def change(self) -> AccountChange | None:
        """The class under which it is guarded, if any."""
        return next((each for each in ACCOUNT_CHANGES if each == self.action), None)


class Told(NamedTuple):
    """Something that was told of an account before: by which rule, about which day."""

    rule: str
    about_on: date


class Decision(NamedTuple):
    """What a sweep does with an account, and when it looks again."""

    standing: Standing
    actions: tuple[Action, ...]
    look_on: date | None

    @property
    def step(self) -> Action | None:
        """What is done to the status, None where it stays."""
        return next((each for each in self.actions if each.action in STEPS), None)


def decide(facts: Facts, system: AccountSystem, day: date, told: Set[Told] = frozenset()) -> Decision:
    """What the sweep of `day` does with this account. Deciding again after it was done gives no action."""
    found = standing(facts, system, day)
    actions: list[Action] = []
    if found.status != facts.status:
        actions.append(_step(facts.status, found, day))
    actions += [each for each in _tellings(facts, system, found, day) if Told(each.rule, each.due_on) not in told]
    return Decision(found, tuple(actions), next_due(facts, system, day))


def _step(before: AccountStatus, found: Standing, day: date) -> Action:
    action: ActionName
    if found.status == "retired":
        action = "retire"
    elif _SEVERITY[found.status] > _SEVERITY[before]:
        action = "expire" if found.status == "expired" else "deactivate"
    else:
        action = "activate" if (before, found.status) == ("waiting", "active") else "reactivate"
    due = _due_day(found) or day
    return Action(action, found.rule, _reason(STANDING_WORDS[found.rule], found.used), due, found.used)


def _due_day(found: Standing) -> date | None:
    end = found.end.day
    if found.rule == "end_over" and end is not None:
        return end + timedelta(days=1)
    return found.used.get({"left": "leaver_on", "retired": "retirement"}.get(found.rule, ""))


def _tellings(facts: Facts, system: AccountSystem, found: Standing, day: date) -> Iterator[Action]:
    end = found.end
    if end.rule in CONTRADICTIONS:
        about = max(end.used.values(), default=facts.made_on)
        yield Action("flag", end.rule, _reason(END_WORDS[end.rule], end.used), about, end.used)
    if found.status in ("active", "waiting"):
        for rule, codes, about in _role_findings(facts, system, day):
            action: ActionName = "notify" if rule == "training_recommended" else "flag"
            yield Action(action, rule, f"{', '.join(codes)}: {FINDING_WORDS[rule]}", about, {})
    if found.status == "active" and end.day is not None:
        yield from _advance_notice(end.day, system, day)
    if facts.kind == "shared" and found.status != "retired" and not (facts.owner and facts.contact):
        yield Action(
            "flag", "shared_without_contact", "a shared account needs an owner and a contact", facts.made_on, {}
        )


def _advance_notice(end: date, system: AccountSystem, day: date) -> Iterator[Action]:
    """The notice that is nearest to the end: whoever missed an earlier one is told once, not twice."""
    due = [each for each in system.before_expiry if end - timedelta(each) <= day]
    if due:
        left = (end - day).days
        words = "today is the last valid day" if left == 0 else f"{left} {'day' if left == 1 else 'days'} are left"
        yield Action(
            "notify", f"before_expiry:{min(due)}", _reason(words, {"expires_on": end}), end, {"expires_on": end}
        )


def _role_findings(facts: Facts, system: AccountSystem, day: date) -> Iterator[tuple[str, list[str], date]]:
    by_rule: dict[str, list[str]] = {}
    since: dict[str, date] = {}
    for each in judge_roles(facts, system, day):
        if each.finding is not None:
            by_rule.setdefault(each.finding, []).append(each.role.code)
            given = each.role.since or facts.made_on
            since[each.finding] = max(since.get(each.finding, given), given)
    for rule, codes in by_rule.items():
        yield rule, codes, since[rule]


def _reason(words: str, used: Mapping[str, date]) -> str:
    names = {**FACT_WORDS, "expires_on": "last valid day", "retirement": "switch date"}
    dates = "; ".join(f"{names[name]} {day.isoformat()}" for name, day in used.items())
    return f"{words} ({dates})" if dates else words
