"""The digest to an institution's library: what the files of one patron source of one run did to its persons.

Counts by what happened and by path, never a person: no name, no id, no value. Who staff have to decide about stands in
a file in the institution's own place in the landing zone; the e-mail says where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from tasks.notices.layout import render_html, render_text
from tasks.notices.message import Message, NoticeKind, one_line
from tasks.notices.wording import PhraseBook, Phrases, standard_book

HAPPENED = (
    "created",
    "changed",
    "returned",
    "activated",
    "prolonged",
    "missing",
    "left",
    "expired",
    "deactivated",
    "erasable",
    "erased",
)
"""What can become of a person, in the order in which it is told."""
MOST_SAID = 3
"""Results in a subject."""


@dataclass(frozen=True, slots=True)
class PathCounts:
    """Persons by what became of one path."""

    path: str
    changed: int = 0
    protected: int = 0
    """Protected, and the source says something new: staff decide."""
    asked: int = 0
    """Edited by staff, and the source says something new: staff decide."""
    taken: int = 0
    """Of `changed`: an edit was replaced by the source's new value, as the policy wants."""


@dataclass(frozen=True, slots=True)
class PatronDigest:
    """What one library is told of the files of one source. `run_key` as in the digest of titles.

    `happened` is by the names of `HAPPENED`, `held` by class of change; `rows_*` count rows that were not taken.
    `lists` and `reviews` are keys in the landing zone. `was_held`: it had waited, and a person has approved it.
    """

    library_name: str
    recipient: str
    language: str
    source_code: str
    source_name: str
    run_key: str
    dates: tuple[date, ...]
    happened: Mapping[str, int] = field(default_factory=dict)
    paths: tuple[PathCounts, ...] = ()
    held: Mapping[str, int] = field(default_factory=dict)
    rows_rejected: int = 0
    rows_quarantined: int = 0
    lists: tuple[str, ...] = ()
    reviews: tuple[str, ...] = ()
    was_held: bool = False

    @property
    def to_decide(self) -> int:
        """Values about which staff are asked."""
        return sum(each.protected + each.asked for each in self.paths)

    @property
    def not_taken(self) -> int:
        """Rows that were not taken."""
        return self.rows_rejected + self.rows_quarantined

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to tell."""
        return not (any(self.happened.values()) or any(self.held.values()) or self.to_decide or self.not_taken)


def compose_patron_digest(
    digest: PatronDigest, catalogue_name: str, sender: str, book: PhraseBook | None = None
) -> Message | None:
    """The e-mail for one library, in its language; None where nothing has changed and nothing waits."""
    if digest.is_quiet:
        return None
    phrases = (book or standard_book()).language(digest.language)
    subject = phrases.say(
        "person_digest.subject",
        source=digest.source_name,
        result=_result(digest, phrases),
        library=digest.library_name,
    )
    values = {
        "subject": subject,
        "digest": digest,
        "dates": phrases.series(phrases.day(each) for each in digest.dates),
        "happened": [
            (phrases.say(f"person_count.{name}"), digest.happened[name])
            for name in HAPPENED
            if digest.happened.get(name)
        ],
        "paths": [(path_name(each.path, phrases), each) for each in digest.paths],
        "held": [(phrases.say(f"person_class.{name}"), number) for name, number in digest.held.items() if number],
        "catalogue_name": catalogue_name,
        "sender": sender,
    }
    return Message(
        kind=NoticeKind.DIGEST,
        recipient=digest.recipient,
        subject=one_line(subject),
        language=phrases.code,
        text=render_text("patron_digest", phrases, **values),
        html=render_html("patron_digest", phrases, **values),
        attachments=(),
        dedup_key=f"{NoticeKind.DIGEST}|patrons|{digest.run_key}|{digest.source_code}",
    )


def path_name(path: str, phrases: Phrases) -> str:
    """A path in words; the path itself where no language knows it."""
    return phrases.say_if_known(f"person_path.{path}") or path


def _result(digest: PatronDigest, phrases: Phrases) -> str:
    """What matters most, short enough for a subject."""
    counts = {
        "created": digest.happened.get("created", 0),
        "changed": digest.happened.get("changed", 0),
        "waiting": sum(digest.held.values()),
        "asked": digest.to_decide,
        "not_taken": digest.not_taken,
        "moved": sum(number for name, number in digest.happened.items() if name not in ("created", "changed")),
    }
    # What somebody has to do is never what is left out.
    needed = [name for name in ("waiting", "asked", "not_taken") if counts[name]]
    done = [name for name in ("created", "changed", "moved") if counts[name]]
    said = [*done[: max(0, MOST_SAID - len(needed))], *needed]
    return ", ".join(phrases.count(f"person_digest.short.{name}", counts[name]) for name in said)
