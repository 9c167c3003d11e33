"""To the operator: files in `incoming/` that can become no delivery. Each is told once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tasks.landing.strays import Stray
from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.wording import PhraseBook, standard_book

MOST_TOLD = 100
"""The mail names so many; all of them are in `raw_stray`."""


def compose_strays(
    strays: Sequence[Stray],
    recipient: str,
    language: str,
    catalogue_name: str,
    sender: str,
    book: PhraseBook | None = None,
) -> Message:
    """The e-mail about `strays`, at least one. The same ones together have the same dedup key."""
    phrases = (book or standard_book()).language(language)
    subject = phrases.count("stray.subject", len(strays))
    values = {
        "subject": subject,
        "strays": [(each, phrases.say("stray.moved" if each.key else "stray.left")) for each in strays[:MOST_TOLD]],
        "more": max(len(strays) - MOST_TOLD, 0),
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    named = "\n".join(sorted(f"{each.path}\n{each.sha256}\n{each.reason}" for each in strays))
    return Message(
        kind=NoticeKind.STRAY,
        recipient=recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("stray", phrases, **values),
        html=render_html("stray", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.STRAY}|{hashlib.sha256(named.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}",
    )
