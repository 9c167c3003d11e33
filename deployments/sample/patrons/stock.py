"""What the library systems of the sample hold before the first night: the first read-back."""

from __future__ import annotations

from deployments.sample.patrons.alma import document, held_user, user_xml
from deployments.sample.patrons.people import ORIGINS
from deployments.sample.patrons.read_back import read_back_export
from deployments.sample.patrons.stage import FIRST_DAY, Stage

NEW_EVERY = 50
"""One person in so many is in the first file and not yet in the library system."""


def initial_stock(stage: Stage, institution: str) -> bytes:
    """The users of a library system before the first night, as Alma's user XML.

    Nearly everybody of the first files, as those say; what staff edited before; and three accounts of staff, in the
    internal segment, that no source knows.
    """
    users: dict[str, str] = {}
    known: set[str] = set()
    for source, origin in ORIGINS.items():
        if origin.institution != institution:
            continue
        for person in stage.persons(source, FIRST_DAY):
            if person.number % NEW_EVERY == 0 or (person.feide and person.feide in known):
                continue
            known.add(person.feide)
            users[origin.primary_id(person)] = held_user(source, person)
    staff = [_staff(institution, number) for number in range(1, 4)]
    edits = [each for each in stage.edits if each.institution == institution and each.on == FIRST_DAY]
    return read_back_export(document([*users.values(), *staff]), edits)


def _staff(institution: str, number: int) -> str:
    """An account of the library's own staff: internal, with a role."""
    scalars = {
        "record_type": "STAFF",
        "primary_id": f"{institution.lower()}-desk-{number}",
        "first_name": "Desk",
        "last_name": f"Account {number}",
        "user_group": "library",
        "account_type": "INTERNAL",
        "status": "ACTIVE",
    }
    roles = "    <user_roles><user_role><status>ACTIVE</status><role_type>32</role_type></user_role></user_roles>\n"
    return user_xml(scalars, "", "", roles)
