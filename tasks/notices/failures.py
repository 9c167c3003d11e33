"""To the operator: a run has failed, or its process was lost for good. Says why, what it left, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.wording import PhraseBook, standard_book


@dataclass(frozen=True, slots=True)
class LeftDelivery:
    """A delivery that the run left unfinished; the next run of its supplier takes it up."""

    delivery_id: int
    sender: str
    file_name: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that ended badly. `is_crashed`: its process was lost; else it failed by itself.

    `again` is the command that begins it again, where there is one; `page` shows it in Prefect's UI.
    """

    recipient: str
    language: str
    run_id: str
    flow: str
    subject: str
    reason: str
    is_crashed: bool
    again: str | None
    page: str | None
    deliveries: tuple[LeftDelivery, ...] = ()


def compose_failed(failed: FailedRun, catalogue_name: str, sender: str, book: PhraseBook | None = None) -> Message:
    """The e-mail to the operator; a run is told once."""
    phrases = (book or standard_book()).language(failed.language)
    subject = phrases.say("failed.subject", flow=failed.flow, subject=failed.subject)
    values = {
        "subject": subject,
        "failed": failed,
        "commands": [("look", "samkat status"), *([("again", failed.again)] if failed.again else [])],
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.FAILED,
        recipient=failed.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("failed", phrases, **values),
        html=render_html("failed", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.FAILED}|{failed.run_id}",
    )
