"""The examples of a system's rules, run: given, when, then. What fails is said in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from schemas.errors import ConfigurationError
from schemas.register.account_rules import AccountSystem, Example
from tasks.accounts.deciding import decide
from tasks.accounts.ending import renewed
from tasks.accounts.facts import Facts, Role
from tasks.accounts.roles import roles_in_force

LIBRARY = "EXAMPLE"


def failures(system: AccountSystem) -> list[str]:
    """What the examples say and the rules do not, a line each; empty: all hold."""
    return [f"{example.name!r}: {found}" for example in system.examples for found in _failures_of(example, system)]


def require_examples(systems: Iterable[AccountSystem]) -> None:
    """Raises `ConfigurationError` for the first example that does not hold."""
    for system in systems:
        wrong = failures(system)
        if wrong:
            raise ConfigurationError(
                wrong[0],
                file=f"account_rules/{system.code}.toml",
                field="examples",
                remedy=f"correct the rule or the example{f'; {len(wrong) - 1} more are wrong' if wrong[1:] else ''}",
            )


def facts_of(example: Example, system: AccountSystem) -> Facts:
    """The account of an example, after its renewal."""
    given, when = example.given, example.when
    made_on = given.made_on or date(when.on.year, 1, 15)
    facts = Facts(
        kind=given.kind,
        employment=given.employment,
        library=LIBRARY,
        made_on=made_on,
        status=given.status,
        mission_start_on=given.mission_start,
        mission_end_on=given.mission_end,
        leaver_on=given.leaver_on,
        pinned_end=given.pinned_end,
        is_end_pinned=given.pinned_end is not None,
        roles=tuple(Role(each, "", given.roles_since or made_on) for each in given.roles),
        trained={"": given.trained_on, **_courses(system, given.trained_on)} if given.trained_on else {},
        owner=LIBRARY,
        contact="contact@library.example",
    )
    if when.renewed_on is not None:
        facts = renewed(facts, system.ends, when.renewed_on, when.renewed_until)
    return facts


def _courses(system: AccountSystem, on: date) -> dict[str, date]:
    return {each.course: on for each in system.roles if each.course}


def _failures_of(example: Example, system: AccountSystem) -> list[str]:
    then, day = example.then, example.when.on
    facts = facts_of(example, system)
    decision = decide(facts, system, day)
    step = decision.step
    found: dict[str, object] = {
        "expires_on": decision.standing.end.day,
        "never_expires": decision.standing.end.day is None,
        "status": decision.standing.status,
        "action": step.action if step else "none",
        "rule": decision.standing.rule,
        "tells": tuple(each.rule for each in decision.actions if each.action in ("notify", "flag")),
        "roles": tuple(each.code for each in roles_in_force(facts, system, day)),
    }
    return [
        f"{key} is {found[key]}, not {wanted}"
        for key, wanted in then
        if key in then.model_fields_set and found[key] != wanted
    ]
