"""Rows that cannot be taken as they are. Each costs itself alone; in such a run nobody counts as missing."""

from __future__ import annotations

from datetime import date

from deployments.sample.patrons.stage import Stage

IMPOSSIBLE_ID = "99139912345"
"""Stands where a national id would: day 99 of month 13, so it is nobody's."""


def row_without_family_name(stage: Stage, on: date) -> None:
    """One person's EN line is missing that night.

    Must happen: the row is rejected with its line and the code; the person keeps what they have. In such a run absence
    counts for nobody.
    """
    number = stage.hire("NORUPERS", category="10")
    stage.one_night("NORUPERS", number, on, family="")
    stage.reject("NORUPERS", on, "missing")
    stage.tell(on, "NORUPERS", "missing", "a row without family name", number)


def unknown_category(stage: Stage, on: date) -> None:
    """Somebody comes with category 77, which nobody agreed on.

    Must happen: the row is rejected; no group is guessed.
    """
    number = stage.hire("NORUPERS", category="21")
    stage.one_night("NORUPERS", number, on, category="77")
    stage.reject("NORUPERS", on, "unknown_category")
    stage.tell(on, "NORUPERS", "unknown_category", "a category that is not agreed", number)


def unknown_category_at_the_hospital(stage: Stage, on: date) -> None:
    """The hospital invents a professional group, from that day on.

    Must happen: the row is rejected every night until the register knows it; the person stays as they were.
    """
    number = stage.hire("SJUKHUS", category="SSK")
    stage.change("SJUKHUS", number, on, category="VIK")
    for later in range(on.day, 17):
        day = on.replace(day=later)
        if day.weekday() < 5:
            stage.reject("SJUKHUS", day, "unknown_category")
    stage.tell(on, "SJUKHUS", "unknown_category", "a professional group that is not agreed", number)


def national_id(stage: Stage, on: date) -> None:
    """A record has an FR line with a national id, and the same digits once more where the telephone number goes.

    Must happen: both lines are cut out on receipt, before anything is written; what was kept is searched for the id;
    the person is taken without a telephone number.
    """
    number = stage.hire("NORUPERS", category="10")
    stage.one_night("NORUPERS", number, on, mobile=IMPOSSIBLE_ID, more_lines=(f"FR:{IMPOSSIBLE_ID}",))
    stage.tell(on, "NORUPERS", "cut_out", "a national id, twice", number)


def broken_user(stage: Stage, on: date) -> None:
    """One user of the college's file is not well-formed: an ampersand stands alone.

    Must happen: that one is rejected, the others are read.
    """
    number = stage.hire("VESTSTUD")
    stage.one_night("VESTSTUD", number, on, family="Quillmere")
    stage.night("VESTSTUD", on).spoil = _with_loose_ampersand
    stage.reject("VESTSTUD", on, "unreadable")
    stage.tell(on, "VESTSTUD", "unreadable", "a user that is not well-formed XML", number)


def _with_loose_ampersand(members: list[bytes]) -> list[bytes]:
    whole, broken = b"<last_name>Quillmere<", b"<last_name>Quill&mere<"
    return [members[0].replace(whole, broken, 1), *members[1:]]
