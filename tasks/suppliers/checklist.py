"""What has to be right before a supplier's first real delivery, as rules that are checked. Pure.

A needed rule that is not met keeps the supplier in the sandbox; the others are remarks. docs/supplier-onboarding.md
lists them, and a test holds the page to `RULES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from schemas.expectations import EXPECTATIONS
from schemas.register.suppliers import Supplier
from tasks.notices.wording import Phrases

MOST_NAMED = 20
"""Library codes that a line of the checklist names."""
QUALITY = "quality:"
JUDGED = tuple(each for each in EXPECTATIONS if each.kind == "share")
"""Expectations that a test delivery is judged by; what is usual for a supplier nobody knows yet."""
REMARKS = ("records_accepted", "reviews", "customers_reported", "guards")
RULES = (
    "agreement",
    "file_accepted",
    "enough_bibs",
    "holdings_come",
    "sigels_known",
    "libraries_allow",
    *(f"{QUALITY}{each.key}" for each in JUDGED),
    *REMARKS,
)
"""In the order of the checklist."""


@dataclass(frozen=True)
class Check:
    """A rule and what was found. `detail` names a phrase below `trial.detail`, or nothing; `values` fill both."""

    rule: str
    is_met: bool
    detail: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_needed(self) -> bool:
        """Whether a real delivery has to wait for it."""
        return self.rule not in REMARKS

    def words(self, phrases: Phrases) -> str:
        """The rule, and what was found, in a language."""
        values = {name: _said(value, phrases) for name, value in self.values.items()}
        if self.rule.startswith(QUALITY):
            what = phrases.say(f"held_class.{self.rule.removeprefix(QUALITY)}")
            said = phrases.say("trial.quality", what=what, **values)
        else:
            said = phrases.say(f"trial.rule.{self.rule}", **values)
        return f"{said} {phrases.say(f'trial.detail.{self.detail}', **values)}" if self.detail else said


def _said(value: object, phrases: Phrases) -> object:
    if isinstance(value, date):
        return phrases.day(value)
    return phrases.number(value) if isinstance(value, int) else value


@dataclass(frozen=True)
class Found:
    """What a test delivery came to, as the checklist looks at it.

    `counts` are keyed as in `out_delivery`. `shares`: of each expectation its rows, those that fail, and the limit (0
    to 1). `unknown` and `refused` are sigels; `unreported` those that the supplier has not reported as customers, None
    where it has reported none at all. `bibs_tried` counts the bibs of all its test files. `guards` are classes of
    change that a guard would hold.
    """

    rejected: str
    counts: Mapping[str, int]
    shares: Mapping[str, tuple[int, int, float]]
    unknown: tuple[str, ...]
    refused: tuple[str, ...]
    unreported: tuple[str, ...] | None
    bibs_tried: int
    guards: tuple[str, ...] = ()


def checklist(supplier: Supplier, found: Found, on: date) -> tuple[Check, ...]:
    """Every rule with what was found on the day `on`, in order. Where nothing was judged, only what can be said."""
    checks = {each.rule: each for each in _checks(supplier, found, on)}
    return tuple(checks[rule] for rule in RULES if rule in checks)


def is_ready(checks: tuple[Check, ...]) -> bool:
    """Whether every needed rule is met."""
    return all(each.is_met or not each.is_needed for each in checks)


def _checks(supplier: Supplier, found: Found, on: date) -> Iterator[Check]:
    yield _agreement(supplier, on)
    least = supplier.trial.min_bibs
    yield Check("enough_bibs", found.bibs_tried >= least, "", {"number": found.bibs_tried, "least": least})
    yield Check("file_accepted", not found.rejected)
    if found.rejected and not found.shares:
        return
    yield _holdings(supplier, found.counts["holdings_read"])
    yield Check("sigels_known", not found.unknown, "libraries" if found.unknown else "", _named(found.unknown))
    yield Check("libraries_allow", not found.refused, "libraries" if found.refused else "", _named(found.refused))
    for expectation in JUDGED:
        elements, unexpected, limit = found.shares.get(expectation.key, (0, 0, 1.0))
        is_met = not elements or (elements - unexpected) / elements >= limit
        values = {"unexpected": unexpected, "elements": elements, "limit": _percent(1 - limit)}
        yield Check(f"{QUALITY}{expectation.key}", is_met, "", values)
    yield from _remarks(supplier, found)


def _remarks(supplier: Supplier, found: Found) -> Iterator[Check]:
    counts = found.counts
    bad = counts["records_unreadable"] + counts["bibs_rejected"] + counts["holdings_rejected"]
    yield Check("records_accepted", not bad, "records" if bad else "", {"number": bad})
    total, most = counts["bibs_read"], supplier.trial.max_review_share
    values = {"number": counts["bibs_review"], "total": total, "limit": _percent(most)}
    yield Check("reviews", counts["bibs_review"] <= most * total, "", values)
    if supplier.has_holdings:
        unreported = found.unreported
        detail = "none_reported" if unreported is None else "libraries" if unreported else ""
        yield Check("customers_reported", unreported == (), detail, _named(unreported or ()))
    yield Check("guards", not found.guards, "guards" if found.guards else "", {"guards": ", ".join(found.guards)})


def _agreement(supplier: Supplier, on: date) -> Check:
    if on < supplier.agreement_from:
        return Check("agreement", False, "begins", {"day": supplier.agreement_from})
    if not supplier.has_agreement(on):
        return Check("agreement", False, "ended", {"day": supplier.agreement_to})
    return Check("agreement", True)


def _holdings(supplier: Supplier, number: int) -> Check:
    if supplier.has_holdings:
        return Check("holdings_come", number > 0, "" if number else "no_holdings")
    return Check("holdings_come", number == 0, "holdings" if number else "", {"number": number})


def _named(sigels: tuple[str, ...]) -> dict[str, object]:
    more = ", ..." if len(sigels) > MOST_NAMED else ""
    return {"libraries": ", ".join(sigels[:MOST_NAMED]) + more}


def _percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0")
