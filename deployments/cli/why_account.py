"""How `samkat why account` is shown to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployments.cli.output import print_table, prose

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = (
    *("library", "kind", "employment", "made_on", "mission_start_on", "mission_end_on", "leaver_on", "renewed_on"),
    *("granted_until", "pinned_end", "trained_on", "rotated_on", "expires_on", "expiry_rule"),
)


def render(console: Console, found: dict[str, Any]) -> None:
    """The account, its standing, its values with their origins, its changes and its sweeps."""
    account, standing = found["account"], found.get("standing")
    prose(console, f"Account {account['account_id']}, {account['login']} in {account['system']}: {account['status']}.")
    if standing:
        dates = ", ".join(f"{name} {day}" for name, day in standing["dates"].items())
        prose(
            console,
            f"On {standing['on']} it is {standing['status']}: {standing['why']}{f' ({dates})' if dates else ''}.",
        )
        prose(console, f"Looked at again on {standing['looked_at_again_on'] or 'no day of its own'}.")
    values = [
        (name, account[name], *found["origins"].get(name, ("", ""))) for name in _SHOWN if account[name] is not None
    ]
    print_table(console, "Values", ("field", "value", "from", "on"), values)
    roles = [
        (each["role"], each["scope"], each["since"], "yes" if each["in_force"] else "no", each["finding"])
        for each in found.get("roles", [])
    ]
    if roles:
        print_table(console, "Roles", ("role", "scope", "since", "in force", "finding"), roles)
    changes = [(each["said_on"], each["field"], each["old"], each["new"], each["source"]) for each in found["changes"]]
    if changes:
        print_table(console, "Changes", ("on", "field", "old", "new", "from"), changes)
    actions = [
        (each["swept_on"], each["sweep_id"], each["action"], each["rule"], each["state"], each["reason"])
        for each in found["actions"]
    ]
    if actions:
        print_table(console, "Sweeps", ("day", "sweep", "action", "rule", "state", "why"), actions)
