"""Protection that a sender orders itself, by the elements of Samkat's own namespace in BUPS 2."""

from __future__ import annotations

from datetime import date, timedelta
from xml.sax.saxutils import quoteattr

from deployments.sample.patrons.stage import FIRST_DAY, Stage


def protection_order(stage: Stage, on: date) -> None:
    """One night's file orders to protect a preferred name; all later nights come without the order, and with another
    name.

    Must happen: the protection outlives the file that brought it; the name stands, and somebody is asked once.
    """
    number = stage.hire("VESTSTUD", given="Hugh", preferred_given="Wren")
    stage.one_night("VESTSTUD", number, on, orders=(_order("protect", "pref_first_name", reason="asked for it"),))
    stage.change("VESTSTUD", number, on + timedelta(days=1), preferred_given="Hugh")
    stage.tell(on, "VESTSTUD", "protected", "an order to protect the preferred name", number)
    stage.tell(on + timedelta(days=1), "VESTSTUD", "pinned", "another name, and no order any more", number)


def protection_with_an_end(stage: Stage, on: date) -> None:
    """An order to protect the school's e-mail address until a day, while the file leaves the address out after it.

    Must happen: the address stays up to and on the last day of the protection; after it, it goes.
    """
    until = on + timedelta(days=5)
    number = stage.hire("VESTSTUD", email="oona.gorsewick@vestmark.example")
    order = _order("protect", "emails", type="school", until=until.isoformat(), reason="moves house")
    stage.one_night("VESTSTUD", number, on, orders=(order,))
    stage.change("VESTSTUD", number, on + timedelta(days=1), email=None)
    stage.tell(on, "VESTSTUD", "protected", f"protected until {until}", number)
    # The file of the first night without protection comes on the day after the last one.
    stage.tell(until + timedelta(days=1), "VESTSTUD", "own_removed", "the protection is over", number)


def order_is_released(stage: Stage, on: date) -> None:
    """A campus was protected by an order of the first file; on this night an order releases it.

    Must happen: from now on the source writes again what nobody edits.
    """
    number = stage.hire(
        "VESTSTUD",
        category="exchange",
        department="MAIN",
        orders=(_order("protect", "campus_code", reason="exchange"),),
    )
    stage.change("VESTSTUD", number, FIRST_DAY + timedelta(days=1), orders=(), department="HARBOUR")
    stage.one_night("VESTSTUD", number, on, orders=(_order("release", "campus_code"),))
    stage.tell(FIRST_DAY + timedelta(days=1), "VESTSTUD", "pinned", "another campus, under protection", number)
    stage.tell(on, "VESTSTUD", "released", "an order to release", number)


def _order(action: str, path: str, **attributes: str) -> str:
    more = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<s:{action} path={quoteattr(path)}{more}/>"
