"""Who works at the sample's libraries, beside those of the scenes: ordinary staff, the same for a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

LIBRARIES = ("SOLB", "LUNV", "FJOR", "HAVN")
_GIVEN = ("Ada", "Bo", "Cilla", "Dag", "Eva", "Frode", "Gro", "Hugo", "Ida", "Jon", "Kaja", "Liv", "Mads", "Nina")
_FAMILY = ("Alm", "Berg", "Dahl", "Ek", "Fjeld", "Holm", "Kvist", "Lind", "Moe", "Nord", "Rask", "Strand")
_TASKS = ("loans", "shelving", "story hours", "buying", "cataloguing")


class Staff(NamedTuple):
    """A row of a request."""

    login: str
    library: str
    kind: str = "personal"
    employment: str = "permanent"
    name: str = ""
    email: str = ""
    owner: str = ""
    contact: str = ""
    supporter: str = ""
    mission_start: str = ""
    mission_end: str = ""
    tasks: str = ""
    roles: str = "fulfilment"


def ordinary(month: date, number: int, rng: random.Random) -> Iterator[Staff]:
    """So many new ones of a month; every other temporary, every fourth a volunteer."""
    for each in range(number):
        given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
        library, task = rng.choice(LIBRARIES), rng.choice(_TASKS)
        address = f"{given}.{family}@{library.lower()}.example".lower()
        employment = ("temporary", "permanent", "temporary", "volunteer")[each % 4]
        end = month + timedelta(days=rng.randrange(60, 400)) if employment == "temporary" else None
        yield Staff(
            login=f"{given[:2]}{family[:3]}{month:%y%m}{each}".lower(),
            library=library,
            employment=employment,
            name=f"{given} {family}",
            email=address,
            supporter=f"chef@{library.lower()}.example" if end else "",
            mission_end=end.isoformat() if end else "",
            tasks=task,
            roles="fulfilment|acquisition" if task == "buying" else "fulfilment",
        )
