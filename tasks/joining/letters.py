"""E-mails about libraries that join, each in its reader's language: welcome, admission taken back, holdings that stand
still.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from schemas.register.catalogue import CatalogueRules
from schemas.register.libraries import Library
from schemas.register.register import Register
from tasks.joining.freshness import Freshness
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.wording import Phrases, standard_book


class Welcome(NamedTuple):
    """A library that was admitted: its entry, the day of the admission, and the months of `freshness_months`."""

    library: Library
    suppliers: tuple[str, ...]
    """Names of the suppliers it takes from; empty: all with an agreement."""
    on: date
    months: int
    key: str


def compose_welcome(welcome: Welcome, catalogue: CatalogueRules) -> Message:
    """What a library is told when it has been admitted: how it stands in the register, and what comes next."""
    library = welcome.library
    phrases = standard_book().language(library.language)
    after = [phrases.say(f"joining.welcome.{library.participation}", months=phrases.number(welcome.months))]
    if library.agreement_from > welcome.on:
        after.append(phrases.say("joining.welcome.begins", date=phrases.day(library.agreement_from)))
    after.append(phrases.say("joining.welcome.suppliers", sigel=library.sigel))
    facts = [
        ("sigel", library.sigel),
        ("participation", phrases.say(f"joining.participation.{library.participation}")),
        ("agreement", _agreement(library, phrases)),
        ("suppliers", ", ".join(welcome.suppliers) or phrases.say("joining.suppliers.all")),
        ("contact", library.contact),
    ]
    return _letter("welcome", library, phrases, catalogue, facts, after, welcome.key)


def compose_withdrawn(library: Library, reason: str, catalogue: CatalogueRules, key: str) -> Message:
    """What a library is told when its admission was taken back."""
    phrases = standard_book().language(library.language)
    facts = [("sigel", library.sigel), ("reason", reason)]
    after = [phrases.say("joining.withdrawn.after")]
    return _letter("withdrawn", library, phrases, catalogue, facts, after, key)


def _agreement(library: Library, phrases: Phrases) -> str:
    first = phrases.day(library.agreement_from)
    if library.agreement_to is None:
        return phrases.say("joining.agreement.open", first=first)
    return phrases.say("joining.agreement.closed", first=first, last=phrases.day(library.agreement_to))


def _letter(
    variant: str,
    library: Library,
    phrases: Phrases,
    catalogue: CatalogueRules,
    facts: Sequence[tuple[str, str]],
    after: Sequence[str],
    key: str,
) -> Message:
    words = {"library": library.name, "catalogue": catalogue.name}
    subject = phrases.say(f"joining.{variant}.subject", **words)
    values = {
        "subject": subject,
        "intro": phrases.say(f"joining.{variant}.intro", **words),
        "facts": [(phrases.say(f"joining.fact.{name}"), value) for name, value in facts],
        "after": after,
        "catalogue_name": catalogue.name,
        "sender": catalogue.sender,
    }
    return Message(
        kind=NoticeKind.JOINING,
        recipient=library.contact,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("joining", phrases, **values),
        html=render_html("joining", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.JOINING}|{variant}|{key}",
    )


def compose_freshness(stale: Sequence[Freshness], register: Register, on: date) -> Message:
    """The list of registering libraries whose holdings stand still, to the consortium; one a check."""
    catalogue, rules = register.catalogue, register.participation
    phrases = standard_book().language(catalogue.language)
    subject = phrases.count("freshness.subject", len(stale))
    values = {
        "subject": subject,
        "intro": phrases.say("freshness.intro", date=phrases.day(on), limit=phrases.number(rules.freshness_months)),
        "what": phrases.say("freshness.what"),
        "lines": [
            {
                "library": f"{each.name} ({each.sigel})",
                "moved": phrases.day(each.last_moved_on) if each.last_moved_on else phrases.say("freshness.never"),
                "months": phrases.number(each.months_still),
                "holdings": phrases.number(each.holdings),
                "contact": register.library_by_sigel[each.sigel].contact,
            }
            for each in stale
        ],
        "catalogue_name": catalogue.name,
        "sender": catalogue.sender,
    }
    return Message(
        kind=NoticeKind.FRESHNESS,
        recipient=rules.contact or catalogue.operator,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("freshness", phrases, **values),
        html=render_html("freshness", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.FRESHNESS}|{on.isoformat()}",
    )
