"""To the operator: a delivery waits for approval. Says what went over which limit, and the command that decides."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.wording import PhraseBook, Phrases, Reason, standard_book


@dataclass(frozen=True, slots=True)
class HeldClass:
    """A class of change, or an expectation (`quality:...`), that went over its limit: `planned` of `population`."""

    change_class: str
    planned: int
    population: int
    limit: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A delivery of which something waits. `is_whole`: nothing of it has been loaded; else the safe part has."""

    recipient: str
    language: str
    delivery_id: int
    supplier_name: str
    file_name: str
    plan_hash: str
    is_whole: bool
    classes: tuple[HeldClass, ...]


def compose_held(held: HeldDelivery, catalogue_name: str, sender: str, book: PhraseBook | None = None) -> Message:
    """The e-mail to the operator. The same plan is told once; a changed plan has another hash and is told again."""
    phrases = (book or standard_book()).language(held.language)
    subject = phrases.say("held.subject", delivery=held.delivery_id, supplier=held.supplier_name, file=held.file_name)
    values = {
        "subject": subject,
        "held": held,
        "classes": [(each, _name(each, phrases), phrases.reason(each.reason, "held_reason")) for each in held.classes],
        "commands": [(action, f"samkat plans {action} {held.plan_hash}") for action in ("show", "approve", "reject")],
        "limit": phrases.limit,
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.HELD,
        recipient=held.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("held", phrases, **values),
        html=render_html("held", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.HELD}|{held.delivery_id}|{held.plan_hash}",
    )


def _name(held: HeldClass, phrases: Phrases) -> str:
    """The class in words, its id behind it: the operator needs both."""
    known = phrases.say_if_known(f"held_class.{held.change_class.removeprefix('quality:')}")
    return f"{known} ({held.change_class})" if known else held.change_class
