"""Nights on which a whole file is wrong. Nobody may lose anything by it, and the next good night repairs everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from deployments.sample.patrons.formats import HOSPITAL
from deployments.sample.patrons.people import Person
from deployments.sample.patrons.stage import Stage


def truncated_night(stage: Stage, on: date) -> None:
    """The upload breaks off: 40% of the university's file, and its last person is cut in two.

    Must happen: the file is held for its size and count, nobody is deactivated or even missing, one e-mail says so;
    the next full night repairs everything by itself.
    """
    night = stage.night("NORUPERS", on)
    night.spoil, night.has_lost_persons, night.findings = _first_two_fifths, True, ("size", "count")
    stage.tell(on, "NORUPERS", "count", "40% of the file")


def _first_two_fifths(members: list[bytes]) -> list[bytes]:
    """Cut inside a name, so that what the last person needs is not there."""
    content = members[0]
    return [content[: content.rindex(b"\nEN:", 0, len(content) * 2 // 5) + 6]]


def truncated_zip(stage: Stage, on: date) -> None:
    """Two of the college's five files are in the zip, and its manifest still promises everybody.

    Must happen: held, by the manifest as well; nobody is missing; the next night repairs it.
    """
    night = stage.night("VESTSTUD", on)
    night.spoil, night.has_lost_persons = (lambda members: members[:2]), True
    night.findings = ("manifest", "size", "count")
    stage.tell(on, "VESTSTUD", "manifest", "two of five files")


def empty_file(stage: Stage, on: date) -> None:
    """The university's file has no byte in it: an outage over there that ended in "success".

    Must happen: held as empty. Nobody at all in a file is never read as "everybody has left".
    """
    night = stage.night("NORUPERS", on)
    night.spoil, night.has_lost_persons, night.findings = (lambda _: [b""]), True, ("empty", "size", "count")
    stage.tell(on, "NORUPERS", "empty", "no byte")


def header_alone(stage: Stage, on: date) -> None:
    """The hospital sends its header and no row.

    Must happen: held as empty, although so small a source has no window of counts.
    """
    night = stage.night("SJUKHUS", on)
    night.spoil, night.findings = (lambda _: [(";".join(HOSPITAL) + "\n").encode()]), ("empty",)
    night.has_lost_persons, night.rejected = True, ()
    stage.tell(on, "SJUKHUS", "empty", "a header without rows")


def stale_file(stage: Stage, on: date) -> None:
    """The college's file is that of the night before under a new name: its job ran, its register did not.

    Must happen: told as stale and held; absence is not counted twice.
    """
    night = stage.night("VESTSTUD", on)
    night.repeats, night.findings = on - timedelta(days=1), ("stale",)
    stage.tell(on, "VESTSTUD", "stale", "the bytes of the night before")


def wrong_category_map(stage: Stage, on: date) -> None:
    """All students of the university come with the category of guests: somebody edited a table over there.

    Must happen: the class `group_change` is held with its numbers, all other changes of the night go on. The next
    night is right again; then nothing is left to do, and the approval that nobody gave is void.
    """
    stage.everybody("NORUPERS", on, _as_guest)
    stage.night("NORUPERS", on).held_classes = ("group_change",)
    stage.tell(on, "NORUPERS", "group_change", "students come as guests")


def _as_guest(person: Person) -> Person:
    return replace(person, category="30") if person.category == "20" else person


def cleared_email_column(stage: Stage, on: date) -> None:
    """The line for the e-mail address (EP) is there for everybody at the university, and empty.

    Must happen: held for its null rate. Not one address is taken away, and notices still reach people.
    """
    stage.everybody("NORUPERS", on, lambda person: replace(person, email=None))
    # The file is smaller as well, by about the window.
    stage.night("NORUPERS", on).findings = ("null_rate",)
    stage.tell(on, "NORUPERS", "null_rate", "no e-mail address for anybody")


def school_without_emails(stage: Stage, on: date) -> None:
    """Fourteen pupils of the municipality lose their e-mail addresses at once: too few for the check of the file.

    Must happen: the class `clear` is held for the plan's guard, the other changes of the night go on.
    """
    pupils = [stage.ordinary("FJORKOMM") for _ in range(14)]
    for number in pupils:
        who = stage.person("FJORKOMM", number, on)
        stage.change("FJORKOMM", number, on.replace(day=3), email=who.email or f"elev{number}@fjordkyst.example")
        stage.one_night("FJORKOMM", number, on, email=None)
    stage.night("FJORKOMM", on).held_classes = ("clear",)
    stage.tell(on, "FJORKOMM", "clear", "one school without addresses", *pupils)


def wrong_charset(stage: Stage, on: date) -> None:
    """The university's file comes in UTF-8, although ISO 8859-1 is agreed.

    Must happen: held for its character set, before hundreds of names turn into mojibake.
    """
    night = stage.night("NORUPERS", on)
    night.spoil, night.has_lost_persons = (lambda members: [members[0].decode("iso8859-1").encode()]), True
    night.findings = ("charset",)
    stage.tell(on, "NORUPERS", "charset", "UTF-8 in place of ISO 8859-1")
