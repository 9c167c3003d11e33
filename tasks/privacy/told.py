"""E-mails that name a person. None should: they tell counts. What is found all the same is disclosed and cleared."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_notice
from schemas.warehouse.patrons import core_patron, core_patron_identifier
from tasks.privacy.places import KnownPerson

SHORTEST: Final = 5
"""Shorter ids stand in texts by chance."""
CLEARED: Final = "The text of this e-mail was cleared when somebody was erased."


def words_of(connection: Connection, known: KnownPerson) -> set[str]:
    """What would name the person in an e-mail: their ids and e-mail address."""
    held = core_patron_identifier
    ids = connection.execute(sa.select(held.c.value).where(held.c.person_id.in_(known.person_ids))).scalars()
    mails = connection.execute(
        sa.select(core_patron.c.email).where(core_patron.c.person_id.in_(known.person_ids))
    ).scalars()
    found = {*known.primary_ids, *ids, *(each for each in mails if each)}
    return {each for each in found if len(each) >= SHORTEST}


def notices_naming(connection: Connection, words: Collection[str]) -> Sequence[sa.Row[Any]]:
    """E-mails of the outbox with one of these words in them."""
    if not words:
        return []
    notice = core_notice
    texts = (notice.c.subject, notice.c.body_text, notice.c.body_html)
    named = [text.contains(each, autoescape=True) for each in sorted(words) for text in texts]
    return connection.execute(sa.select(notice).where(sa.or_(*named)).order_by(notice.c.notice_id)).all()


def clear_notices(connection: Connection, words: Collection[str]) -> int:
    """Take the text out of e-mails that name somebody; that one was sent, when and to whom stays."""
    ids = [row.notice_id for row in notices_naming(connection, words)]
    if ids:
        connection.execute(
            sa.update(core_notice)
            .where(core_notice.c.notice_id.in_(ids))
            .values(subject=CLEARED, body_text=CLEARED, body_html="", attachments="[]")
        )
    return len(ids)
