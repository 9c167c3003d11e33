"""A file of persons that is held as a whole: to the operator, who decides, and to its sender, who can put it right.
So is an export of a library system that is no read-back, to the operator and to the library.

Each is told once a file, whatever is found besides on a later look at it. Classes of change that wait have the form of
every other hold (holds.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from tasks.notices.holds import NO_PAGES, Pages, decisions
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.patron_digest import path_name
from tasks.notices.wording import PhraseBook, Phrases, standard_book


@dataclass(frozen=True, slots=True)
class FileFault:
    """One thing that is wrong with a file. `detail` is in English, and says nothing about any person."""

    rule: str
    detail: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class HeldPatronFile:
    """A file that waits as a whole. `identity` names its content, and is the same in every warehouse.

    `plan_hash` is empty in what its sender is told: the decision is the operator's.
    """

    recipient: str
    language: str
    source_name: str
    file_name: str
    business_date: date
    identity: str
    faults: tuple[FileFault, ...]
    plan_hash: str = ""
    words: Literal["person_file", "read_back"] = "person_file"
    """Section of the phrases: `read_back` of an export of a library system that is no read-back. Nobody decides it."""
    is_for_operator: bool = False
    """Of what nobody decides: whether it goes to the operator all the same."""

    @property
    def is_for_sender(self) -> bool:
        """Whether this goes to who sent the file, and can put it right."""
        return not (self.plan_hash or self.is_for_operator)


@dataclass(frozen=True, slots=True)
class ShownFault:
    """A fault in words."""

    fault: str
    field: str
    detail: str
    remedy: str


def compose_held_file(
    held: HeldPatronFile, catalogue_name: str, sender: str, pages: Pages = NO_PAGES, book: PhraseBook | None = None
) -> Message:
    """The e-mail to the operator or to the sender of the file; once a file and recipient."""
    phrases = (book or standard_book()).language(held.language)
    subject = phrases.say(f"{held.words}.subject", source=held.source_name, file=held.file_name)
    commands, links = decisions(held.plan_hash, pages) if held.plan_hash else ([], [])
    values = {
        "subject": subject,
        "held": held,
        "date": phrases.day(held.business_date),
        "faults": [_shown(each, phrases) for each in held.faults],
        "commands": commands,
        "links": links,
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.HELD,
        recipient=held.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("patron_file", phrases, **values),
        html=render_html("patron_file", phrases, **values),
        attachments=(),
        dedup_key=held_key(held.identity, for_sender=held.is_for_sender),
    )


def held_key(identity: str, *, for_sender: bool) -> str:
    """What names the message about a file: by the file alone, not by its plan."""
    return f"{NoticeKind.HELD}|patrons|{identity}|{'sender' if for_sender else 'operator'}"


def _shown(fault: FileFault, phrases: Phrases) -> ShownFault:
    return ShownFault(
        phrases.say_if_known(f"person_fault.{fault.rule}") or fault.rule,
        path_name(fault.path, phrases) if fault.path else "",
        fault.detail,
        phrases.say_if_known(f"person_remedy.{fault.rule}") or phrases.say("person_remedy.file"),
    )
