"""Protected identities (skyddade personuppgifter, sperret adresse), in each format that can say so."""

from __future__ import annotations

from datetime import date

from deployments.sample.patrons.stage import Stage


def protected_identity_at_the_hospital(stage: Stage, on: date) -> None:
    """An employee of the hospital has a protected identity.

    Must happen: address, telephone and e-mail stand in no report, worklist, e-mail or outbound file that does not need
    them.
    """
    number = stage.hire("SJUKHUS", category="SSK", is_confidential=True)
    stage.tell(on, "SJUKHUS", "is_confidential", "a protected identity", number)


def protected_identity_in_xml(stage: Stage, on: date) -> None:
    """A student is given a protected identity in the middle of the fortnight, by our own element.

    Must happen: from that night on what was sent before is kept out of the next document as well.
    """
    number = stage.hire("VESTSTUD")
    stage.change("VESTSTUD", number, on, is_confidential=True)
    stage.tell(on, "VESTSTUD", "is_confidential", "a protected identity, from now on", number)


def address_blocked_in_the_municipality(stage: Stage, on: date) -> None:
    """A pupil's address is blocked, and unblocked three days later.

    Must happen: kept back as long as it says so.
    """
    number = stage.hire("FJORKOMM", category="ELEV")
    stage.change("FJORKOMM", number, on, is_confidential=True)
    stage.change("FJORKOMM", number, on.replace(day=on.day + 3), is_confidential=False)
    stage.tell(on, "FJORKOMM", "is_confidential", "the address is blocked", number)
