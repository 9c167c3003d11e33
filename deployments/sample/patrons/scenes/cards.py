"""Cards and other ids: which change of an id is the same person, and which is somebody else."""

from __future__ import annotations

from datetime import date, timedelta

from deployments.sample.patrons.stage import Stage


def rekey(stage: Stage, on: date) -> None:
    """Somebody gets a new borrower id: the file has the new one in LT and the old one in GL, that night and all later.

    Must happen: a rekey of the same person, under the guard `rekey`; the old id is valid until then. That GL is
    repeated on later nights does nothing.
    """
    number = stage.hire("NORUPERS", category="10")
    old = stage.person("NORUPERS", number, on).card
    stage.change("NORUPERS", number, on, card=f"NB7{on:%d}{number:05d}", old_id=old)
    stage.tell(on, "NORUPERS", "rekey", "a new borrower id, the old one in GL", number)


def rekey_in_xml(stage: Stage, on: date) -> None:
    """The college gives a student another id and says so by our own element `old_id`.

    Must happen: a rekey of the same person, as with GL. The account (Feide) stays the same.
    """
    number = stage.hire("VESTSTUD")
    old = stage.person("VESTSTUD", number, on).key
    stage.change("VESTSTUD", number, on, key=f"V-7{number:05d}", old_id=old)
    stage.tell(on, "VESTSTUD", "rekey", "another student id, the old one in old_id", number)


def rekey_in_rows(stage: Stage, on: date) -> None:
    """A pupil of the municipality has lost the card: the row has the new one and, in a column of its own, the old one.

    Must happen: a rekey. What staff edited in the warehouse under the old id stays with the person.
    """
    number = stage.hire("FJORKOMM", category="ELEV", preferred_given="")
    stage.edit("FJORKOMM", number, on - timedelta(days=1), "set", "pref_first_name", "Tulla", "edited, then rekeyed")
    old = stage.person("FJORKOMM", number, on).card
    stage.change("FJORKOMM", number, on, card=f"FK7{number:07d}", old_id=old)
    stage.tell(on, "FJORKOMM", "rekey", "a new card, the old one in its column", number)


def new_card_without_the_old(stage: Stage, on: date) -> None:
    """The same person (the same Feide id) comes with another borrower id, and no GL.

    Must happen: the same person, by the stable id; the primary id stays as it is, since only a rekey changes it, and
    somebody is asked.
    """
    number = stage.hire("NORUPERS", category="10")
    # Told first: the library goes on knowing the person by the old id.
    stage.tell(on, "NORUPERS", "immutable", "a new borrower id without GL", number)
    stage.change("NORUPERS", number, on, card=f"NB8{number:07d}")


def card_change(stage: Stage, on: date) -> None:
    """A student of the college has a new card: another barcode under the same student id.

    Must happen: the new barcode comes, the old one goes and rests for a year.
    """
    number = stage.hire("VESTSTUD")
    stage.change("VESTSTUD", number, on, card=f"VB7{number:07d}")
    stage.tell(on, "VESTSTUD", "own_removed", "a new barcode for the same student", number)


def barcode_given_too_early(stage: Stage, on: date) -> None:
    """A new student gets a barcode that another one gave back some days ago.

    Must happen: the row is quarantined, since the barcode rests; later nights repeat it, and it stays there.
    """
    before = stage.hire("VESTSTUD")
    freed = stage.person("VESTSTUD", before, on).card
    stage.change("VESTSTUD", before, on - timedelta(days=3), card=f"VB7{before:07d}")
    number = stage.newcomer("VESTSTUD", on, card=freed)
    stage.tell(on, "VESTSTUD", "resting", "a barcode that was another student's until lately", number)


def barcode_of_another(stage: Stage, on: date) -> None:
    """A new student comes with the barcode of somebody who still has it.

    Must happen: the row is quarantined; the other one keeps the barcode, and nobody is created.
    """
    owner = stage.hire("VESTSTUD")
    number = stage.newcomer("VESTSTUD", on, card=stage.person("VESTSTUD", owner, on).card)
    stage.tell(on, "VESTSTUD", "taken", "a barcode that another student has", number)
