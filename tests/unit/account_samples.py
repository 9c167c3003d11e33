"""Accounts and systems for the tests of their rules: only what a test is about is said."""

from __future__ import annotations

from datetime import date
from typing import Any

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.register.account_rules import AccountSystem
from tasks.accounts.facts import Facts

REGISTER = read_register(SAMPLE_REGISTER)
SYSTEMS = {each.code: each for each in REGISTER.account_systems}
ALMA, LEGIMUS = SYSTEMS["alma"], SYSTEMS["legimus"]


def day(text: str) -> date:
    """A day as ISO 8601."""
    return date.fromisoformat(text)


def facts(**given: Any) -> Facts:
    """A permanent employee's account of January 2026, but for what is given; days as text."""
    found: dict[str, Any] = {"kind": "personal", "employment": "permanent", "library": "SOLB", "made_on": "2026-01-15"}
    found |= {"owner": "SOLB", "contact": "kontakt@solberg.example"} | given
    return Facts(**{name: day(each) if name.endswith(("_on", "_until")) and isinstance(each, str) else each
                    for name, each in found.items()})  # fmt: skip


def system(base: AccountSystem = ALMA, **changed: Any) -> AccountSystem:
    """The rules of a system with some of them changed."""
    return base.model_copy(update=changed)
