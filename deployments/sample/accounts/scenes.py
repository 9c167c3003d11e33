"""Scenes of two years of accounts: each shows a rule of the reference, on the day on which it matters.

`SCENES` says what must have come of each account on the sample night; a test holds the sweep against it.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from deployments.sample.accounts.people import Staff


class Scene(NamedTuple):
    """An account, and what must hold of it on the sample night."""

    login: str
    shows: str
    status: str
    expires_on: date | None = None


def _staff(login: str, library: str = "SOLB", **more: str) -> Staff:
    usual = {"name": f"{login.title()} Scen", "email": f"{login}@{library.lower()}.example", "tasks": "loans"}
    return Staff(login, library, **{**usual, **more})


def _temp(login: str, mission_end: str, library: str = "SOLB") -> Staff:
    end = {"employment": "temporary", "supporter": f"chef@{library.lower()}.example", "mission_end": mission_end}
    return _staff(login, library, **end)


REQUESTS: dict[date, tuple[Staff, ...]] = {
    date(2023, 4, 3): (
        _staff("solid"), _staff("helper", employment="volunteer"), _staff("silent", employment="volunteer"),
        _temp("clipped", "2024-01-31"), _staff("buyer", roles="fulfilment|acquisition"),
        Staff("disken", "LUNV", "shared", owner="LUNV", contact="disk@lunv.example", roles="fulfilment|users"),
        Staff("bussen", "FJOR", "shared", owner="FJOR", contact="buss@fjor.example", roles="fulfilment|acquisition"),
    ),
    date(2024, 2, 5): (
        _temp("longer", "2024-03-31"), _staff("leaver"), _staff("stayer"), _temp("pinned", "2024-06-30"),
    ),
    date(2024, 9, 2): (
        _temp("tonight", "2025-02-13"), _temp("soon", "2025-03-12"), _temp("early", "2025-08-31"),
        # Lacks the colleague and the end: answered, and no account is made.
        _staff("halv", employment="temporary"),
    ),
    date(2025, 2, 20): (_staff("newyear", employment="volunteer"), _temp("waits", "2025-08-31")),
}  # fmt: skip
SCENES: tuple[Scene, ...] = (
    Scene("solid", "a permanent account has no end", "active"),
    Scene("helper", "a volunteer who was renewed twice", "active", date(2025, 12, 31)),
    Scene("silent", "a volunteer about whom nobody answered", "inactive", date(2023, 12, 31)),
    Scene("clipped", "31 January and a month in a leap year, then the rest of the way", "inactive", date(2024, 2, 29)),
    Scene("longer", "expired, then renewed with a new end of the mission", "active", date(2025, 10, 15)),
    Scene("leaver", "a leaver, from the day reported", "inactive"),
    Scene("stayer", "reported as a leaver, and stays after all", "active"),
    Scene("pinned", "a pinned end, which a later file does not move", "active", date(2025, 12, 24)),
    Scene("tonight", "the first night after the last valid day", "expired", date(2025, 3, 13)),
    Scene("soon", "told 30 days before, tonight nothing", "active", date(2025, 4, 12)),
    Scene("early", "valid for a long time", "active", date(2025, 9, 30)),
    Scene("buyer", "training is recommended: told to the desk once", "active"),
    Scene("newyear", "a volunteer of this year", "active", date(2025, 12, 31)),
    Scene("waits", "a temp in the months to come", "active", date(2025, 9, 30)),
    Scene("disken", "a shared account whose password is new", "active"),
    Scene("bussen", "a shared account: buying is not given", "active"),
)
OTHER_FILES: dict[date, tuple[tuple[str, str], ...]] = {
    date(2023, 9, 1): (("rotations", "login,rotated_on\ndisken,2023-09-01\nbussen,2023-09-01\n"),),
    date(2023, 11, 20): (("renewals", "login,decision,until\nhelper,ja,\n"),),
    date(2024, 3, 1): (("changes", "login,pinned_end\npinned,2025-12-24\n"),),
    date(2024, 5, 20): (
        ("renewals", "login,decision,until\nlonger,renew,2025-09-15\n"),
        ("leavers", "login,leaver_on\nleaver,2024-06-15\nstayer,2024-06-15\nnobody,2024-06-15\nsolid,2024-06-31\n"),
    ),
    date(2024, 6, 10): (("leavers", "login,leaver_on\nstayer,-\n"),),
    date(2024, 6, 20): (("changes", "login,mission_end\npinned,2024-08-31\n"),),
    date(2024, 9, 2): (("rotations", "login,rotated_on\ndisken,2024-09-01\n"),),
    date(2024, 11, 18): (("renewals", "login,decision,until\nhelper,renew,\n"),),
}
"""Of Alma, as (kind, CSV)."""
LEGIMUS_FILES: dict[date, tuple[tuple[str, str], ...]] = {
    date(2023, 5, 2): (
        (
            "accounts",
            "login,library,kind,name,email,owner,contact,tasks,roles\n"
            "reg.sol,SOLB,personal,Rut Scen,rut@solb.example,,,talking books,mediator|registrar\n"
            "med.lun,LUNV,personal,Mona Scen,mona@lunv.example,,,talking books,mediator\n"
            "solberg,SOLB,shared,,,SOLB,medier@solberg.example,,library_login\n",
        ),
    ),
    date(2024, 10, 1): (("training", "login,course,trained_on\nreg.sol,web-course,2024-09-24\n"),),
    date(2024, 11, 5): (
        ("lists", "login,list,title_number,title\nsolberg,Summer,C10012,The sea\nsolberg,Summer,C10013,The sun\n"),
        ("readers", "reader,registrar,library,made_on\n4711,reg.sol,SOLB,2024-11-04\n4712,reg.sol,LUNV,2024-11-04\n"),
    ),
    date(2025, 3, 10): (
        (
            "downloads",
            "login,title_number,isbn,purpose,day\nreg.sol,C10012,,lending,2025-02-11\n"
            "med.lun,C10020,,lending,2025-02-12\nsolberg,C10013,,streaming,2025-02-12\n",
        ),
    ),
}
