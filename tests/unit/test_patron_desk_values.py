"""What a person types at the desk: days, flags, texts and items; what cannot be is refused without being repeated."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.errors import UsageError
from schemas.patrons import ListItem
from tasks.patrons.desk_values import value_of, with_item

WORK = ListItem("work", "ada@work.example", {"email_address": "ada@work.example"}, True)
HOME = ListItem("personal", "ada@home.example", {"email_address": "ada@home.example"})


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("birth_date", "2011-04-03", date(2011, 4, 3)),
        ("is_researcher", "yes", True),
        ("last_name", "  Ho\u0308g ", "H\u00f6g"),
    ],
)
def test_a_text_becomes_the_value_that_the_path_wants(path: str, text: str, value: object) -> None:
    assert value_of(path, text) == value


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("birth_date", "3.4.2011", "no date"),
        ("is_researcher", "perhaps", "neither yes nor no"),
        ("last_name", "  ", "--null"),
        ("last_name", "Bru\x07voll", "control character"),
        ("no_such_path", "Bruvoll", "no path of a person"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy_and_without_the_value(path: str, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as found:
        value_of(path, text)
    assert found.value.remedy
    assert text.strip() == "" or text not in str(found.value)


def test_an_item_takes_the_place_of_those_of_its_type_and_stays_preferred() -> None:
    items = with_item("emails", (WORK, HOME), "work", "Ada@New.example")
    assert [(each.type, each.key, each.is_preferred) for each in items] == [
        ("personal", "ada@home.example", False),
        ("work", "ada@new.example", True),
    ]


def test_null_takes_away_the_items_of_a_type_or_all() -> None:
    assert with_item("emails", (WORK, HOME), "work", None) == (HOME,)
    assert with_item("emails", (WORK, HOME), "", None) == ()


def test_an_address_is_given_as_json_and_its_fields_are_checked() -> None:
    given = '{"line1": "Kaigata 3", "postal_code": "6001", "city": "Fjordby"}'
    (address,) = with_item("addresses", (), "home", given)
    assert (address.type, address.key) == ("home", "kaigata 3|||||fjordby||6001")
    for wrong in ("Kaigata 3", '{"street": "Kaigata 3"}', '{"line1": 3}', "{Kaigata", '{"address_note": "Kaigata 3"}'):
        with pytest.raises(UsageError) as found:
            with_item("addresses", (), "home", wrong)
        assert "Kaigata" not in str(found.value)
