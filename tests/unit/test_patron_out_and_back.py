"""Out and back: what a source says goes through the merge to the library system, and the next night plans nothing."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alma_users import AlmaUser, CurrentPerson, CurrentState, OutRules
from schemas.patrons import PREFERRED_LISTS, ListItem, Value
from schemas.register.patron_policy import PatronPolicy
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.items import HeldItem, ListState, MergedList, merge_list, with_preferred
from tasks.patrons.merge import Circumstances, PersonState, after_merge, merge_person
from tasks.patrons.protection import rules_in_force
from tasks.patrons.read_back import as_current, read_export
from tests.unit.alma_users import export, users

SOURCE, DAY = "S", date(2025, 11, 21)
RULES = rules_in_force(PatronPolicy(), "NORU", None)
OUT_RULES = (OutRules(), OutRules(confidential_keeps=frozenset(), not_exported=frozenset({"pin_number", "user_notes"})))


def exchanged(told: AlmaUser, rules: OutRules) -> CurrentState:
    """C, after the library system has taken a document and exported its users."""
    content = export(compose_user(told, rules).content)
    (person,) = read_export(io.BytesIO(content), "export.xml", rules)
    assert isinstance(person, CurrentPerson), person
    return as_current(person, told, rules)


def merged(path: str, said: Sequence[ListItem], state: ListState) -> MergedList:
    result = merge_list(path, said, state, SOURCE, DAY)
    return result._replace(items=with_preferred(result.items, {SOURCE: 1})) if path in PREFERRED_LISTS else result


def as_items(held: Sequence[HeldItem]) -> tuple[ListItem, ...]:
    return tuple(ListItem(each.type, each.key, each.fields, each.is_preferred) for each in held)


def from_source(user: AlmaUser) -> tuple[Mapping[str, Value | None], Mapping[str, tuple[ListItem, ...]]]:
    """What a source may say: it knows no segments."""
    lists = {
        path: tuple(ListItem(each.type, each.key, each.fields, each.is_preferred) for each in items)
        for path, items in user.lists.items()
    }
    return user.values, lists


@settings(deadline=None, max_examples=120)
@given(users(), st.sampled_from(OUT_RULES))
def test_the_night_after_plans_nothing(user: AlmaUser, rules: OutRules) -> None:
    values, lists = from_source(user)
    new, known = Circumstances(DAY, SOURCE, is_new=True), Circumstances(DAY, SOURCE)
    first = after_merge(values, PersonState(), merge_person(values, PersonState(), RULES, new))
    held = {path: merged(path, items, ListState()).items for path, items in lists.items()}
    told = AlmaUser(dict(first.current), {path: as_items(items) for path, items in held.items()})

    state = exchanged(told, rules)

    second = PersonState(first.said_before, first.written, state.values, first.locks)
    assert merge_person(values, second, RULES, known) == []
    for path, items in lists.items():
        before = frozenset((each.type, each.key) for each in items)
        again = merged(path, items, ListState(held[path], state.lists[path], before))
        assert again.decisions == ()
        assert again.items == held[path]
