"""People come, go and change: the ordinary life of a register, which the library has to follow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from deployments.sample.patrons.people import ORIGINS, fictional_number
from deployments.sample.patrons.stage import FIRST_DAY, Stage
from deployments.sample.vocabulary import SWEDISH


def ordinary_day(stage: Stage, on: date) -> None:
    """Somebody moves house or office and somebody new comes, in every source that delivers: no two nights are alike.

    Must happen: these values are written, the newcomer is created, and nothing else; where the night's file is held,
    the next one that is not brings them.
    """
    for source, origin in ORIGINS.items():
        if not origin.delivers_on(on):
            continue
        heard = stage.heard_on(source, on)
        rng = Random(f"{stage.seed}:{source}:{on}")
        moved = stage.ordinary(source)
        now = stage.person(source, moved, on)
        number = next(each for each in _numbers(rng) if each != now.mobile)
        stage.change(source, moved, on, street=f"{now.street} B", mobile=number)
        if heard:
            stage.tell(heard, source, "added", "another number, and house where the file has it", moved)
        if rng.random() < 0.7:
            new = stage.newcomer(source, on)
            if heard:
                stage.tell(heard, source, "new", "somebody who was not there before", new)


def _numbers(rng: Random) -> Iterator[str]:
    while True:
        yield fictional_number(SWEDISH, rng)


def name_change(stage: Stage, on: date) -> None:
    """An employee marries: another family name and, with it, another e-mail address.

    Must happen: the legal name is the source's, so it is written; the new address comes, the old one goes.
    """
    number = stage.hire("NORUPERS", category="10", given="Siv", family="Askmark", email="siv.askmark@nordhavet.example")
    stage.change("NORUPERS", number, on, family="Örnlid", email="siv.ornlid@nordhavet.example")
    stage.tell(on, "NORUPERS", "source_wins", "another family name and address after a wedding", number)


def student_becomes_employee(stage: Stage, on: date) -> None:
    """A student gets a job: another category, another department.

    Must happen: the affiliation itself changed, so group and department are the source's, even where staff edited
    them. One or two are under the limit of the class `group_change`.
    """
    number = stage.hire("NORUPERS", category="20", department="Kusthistoria", valid_to=None)
    stage.change("NORUPERS", number, on, category="10", department="Biblioteket")
    stage.tell(on, "NORUPERS", "affiliation_changed", "a student becomes an employee", number)


def leaves_on_a_date(stage: Stage, on: date) -> None:
    """Two guests leave: the file now gives an earlier last valid day, two days ahead.

    Must happen: the last valid day is shortened, since the source says so; the day after it they are expired.
    """
    last = on + timedelta(days=2)
    leavers = [stage.hire("NORUPERS", category="30", valid_to=date(2025, 12, 31)) for _ in range(2)]
    for number in leavers:
        stage.change("NORUPERS", number, on, valid_to=last)
    stage.tell(on, "NORUPERS", "shorten", f"the last valid day is now {last}", *leavers)
    stage.tell(last + timedelta(days=2), "NORUPERS", "expired", "the last valid day is over", *leavers)


def simply_missing(stage: Stage, on: date) -> None:
    """Three persons are in no file any more, without a word.

    Must happen: they are missing, and nothing else; after three complete files and seven days the grace begins. Files
    that are held, and files with rows that failed, count nothing. No date is shortened, nobody is deactivated.
    """
    gone = [stage.hire("NORUPERS", category="10") for _ in range(3)]
    for number in gone:
        stage.away("NORUPERS", number, on)
    stage.tell(on, "NORUPERS", "went_missing", "in no file any more", *gone)
    stage.tell(on + timedelta(days=9), "NORUPERS", "grace_began", "missing for three files and seven days", *gone)


def away_and_back(stage: Stage, on: date) -> None:
    """Somebody is left out for three nights and comes back.

    Must happen: missing, then back, an event of its own; the card is the same and no value is lost.
    """
    number = stage.hire("NORUPERS", category="10")
    stage.away("NORUPERS", number, on, on + timedelta(days=2))
    stage.tell(on, "NORUPERS", "went_missing", "left out for three nights", number)
    stage.tell(on + timedelta(days=3), "NORUPERS", "returned_from_missing", "there again", number)


def back_after_the_last_day(stage: Stage, on: date) -> None:
    """A guest whose last valid day is tonight stays in the file, and gets a new day later.

    Must happen: expired the day after; with the new day the person is back, an event of its own.
    """
    number = stage.hire("NORUPERS", category="30", valid_to=on)
    back = on + timedelta(days=8)
    stage.change("NORUPERS", number, back, valid_to=date(2025, 12, 31))
    # The night after it there is no file that counts, but time passes all the same.
    stage.tell(on + timedelta(days=2), "NORUPERS", "expired", "the last valid day is over", number)
    stage.tell(back, "NORUPERS", "returned_from_expired", "there again, with a day to come", number)


def in_two_sources(stage: Stage, on: date) -> None:
    """Two people work at the university and at the hospital, whose file names their university accounts.

    Must happen: one person each, joined by the account; the university's values stand where both say something, but
    for the department, which the policy takes from the hospital. Neither source takes away the other's address.
    """
    for _ in range(2):
        here = stage.hire("NORUPERS", category="21")
        person = stage.person("NORUPERS", here, FIRST_DAY)
        stage.hire(
            "SJUKHUS", category="LAK", given=person.given, family=person.family, born=person.born, feide=person.feide
        )
        stage.tell(on, "SJUKHUS", "joined", "known to the university already", here, known_as="NORUPERS")


def second_job_begins(stage: Stage, on: date) -> None:
    """An employee of the university starts at the hospital as well, in the middle of the fortnight.

    Must happen: no new person; a second affiliation, and the later of the two last valid days.
    """
    here = stage.hire("NORUPERS", category="10")
    person = stage.person("NORUPERS", here, FIRST_DAY)
    stage.newcomer(
        "SJUKHUS", on, category="SSK", given=person.given, family=person.family, born=person.born, feide=person.feide
    )
    stage.tell(on, "SJUKHUS", "joined", "a second affiliation of somebody who is known", here, known_as="NORUPERS")
