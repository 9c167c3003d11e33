"""A rekey in a namespace that only searches: the card is another one, and the register's own number stays."""

from __future__ import annotations

from tests.warehouse.conftest import OpenPlace
from tests.warehouse.few_patrons import ADA, BO, CILLA, EVERYBODY, INSTITUTION, send, with_cell
from tests.warehouse.patron_runs import persons, rows

OLD, NEW = "F200071", "F200099"
NEW_CARD = with_cell(with_cell(ADA, "Lånekort", NEW), "Gammelt kort", OLD)
FINDER = with_cell(with_cell(with_cell(CILLA, "Løpenr", "7010"), "Lånekort", OLD), "E-post", "")
"""Somebody new with the old card."""


def test_a_new_card_is_the_same_person_on_every_later_night_and_the_old_one_rests(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-03")
    send(place, *EVERYBODY)
    place = open_place(today="2025-03-04")
    found = send(place, NEW_CARD, BO, CILLA)
    assert (found.rows["changed"], found.rows["created"], found.rows["quarantined"]) == (1, 0, 0)
    everybody = persons(place.warehouse, INSTITUTION)
    assert sorted(everybody) == ["F200072", "F200073", NEW]
    assert everybody[NEW]["family_name"] == "Bruvoll"
    changed = "SELECT class, decision FROM out_patron_change WHERE rule = 'rekeyed'"
    assert rows(place.warehouse, changed) == [("rekey", "applied")]

    place = open_place(today="2025-03-05")
    later = send(place, with_cell(ADA, "Lånekort", NEW), BO, CILLA, FINDER)
    assert (later.rows["created"], later.rows["quarantined"]) == (0, 1)
    assert rows(place.warehouse, "SELECT rule FROM raw_patron_reject") == [("resting",)]
    assert sorted(persons(place.warehouse, INSTITUTION)) == ["F200072", "F200073", NEW]
    held = (
        "SELECT i.value, i.valid_to FROM core_patron_identifier i JOIN core_patron p ON p.person_id = i.person_id"
        " WHERE p.primary_id = 'F200099' AND i.type = 'primary_id' ORDER BY i.seq"
    )
    assert [(value, str(until)) for value, until in rows(place.warehouse, held)] == [
        (OLD, "2025-03-03"),
        (NEW, "None"),
    ]
