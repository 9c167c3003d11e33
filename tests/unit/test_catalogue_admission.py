"""What the register refuses, by which rule: unknown sigel, no agreement, not a customer, not allowed."""

from __future__ import annotations

from datetime import date

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.register.register import Register
from tasks.catalogue.admission import Admission

REGISTER = read_register(SAMPLE_REGISTER)
DAY = date(2025, 3, 14)


def with_library(**values: object) -> Register:
    libraries = tuple(each.model_copy(update=values) if each.sigel == "SOLB" else each for each in REGISTER.libraries)
    return Register(**{**{name: getattr(REGISTER, name) for name in Register.model_fields}, "libraries": libraries})


def refusal(register: Register, sigel: str = "SOLB", supplier: str = "NORDBOK", **values: object) -> str | None:
    sender = register.supplier_by_code[supplier].model_copy(update={"libraries": (), **values})
    found = Admission(register, sender, DAY).refusal(sigel)
    return found.rule if found else None


def test_a_registered_library_takes_what_a_supplier_with_an_agreement_sends() -> None:
    assert refusal(with_library(suppliers=())) is None


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"agreement_to": date(2025, 3, 13)}, "supplier_without_agreement"),
        ({"agreement_from": date(2025, 3, 15)}, "supplier_before_agreement"),
        ({"agreement_to": DAY, "agreement_from": DAY}, None),
        ({"libraries": ("LUNV",)}, "not_a_customer"),
        ({"libraries": ("LUNV", "SOLB")}, None),
    ],
)
def test_the_suppliers_side(values: dict[str, object], rule: str | None) -> None:
    assert refusal(with_library(suppliers=()), **values) == rule


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"agreement_to": date(2025, 3, 13)}, "library_not_registered"),
        ({"agreement_from": date(2025, 3, 15)}, "library_before_agreement"),
        ({"agreement_from": DAY}, None),
        ({"agreement_to": DAY}, None),
        ({"suppliers": ("MEDIAT",)}, "not_allowed_by_library"),
        ({"suppliers": ("MEDIAT", "NORDBOK")}, None),
    ],
)
def test_the_librarys_side(values: dict[str, object], rule: str | None) -> None:
    assert refusal(with_library(**values)) == rule


def test_a_library_outside_its_agreement_is_told_the_day() -> None:
    for values, said in (
        ({"agreement_from": date(2025, 4, 1)}, "begins on 2025-04-01"),
        ({"agreement_to": date(2025, 3, 1)}, "ended on 2025-03-01"),
    ):
        register = with_library(**values)
        found = Admission(register, register.supplier_by_code["BOKRING"], DAY).refusal("SOLB")
        assert found is not None
        assert said in found.reason


def test_an_unknown_sigel_is_refused_and_named() -> None:
    found = Admission(REGISTER, REGISTER.supplier_by_code["NORDBOK"], DAY).refusal("XXXX")
    assert found is not None
    assert (found.rule, "XXXX" in found.reason) == ("unknown_sigel", True)


def test_holdings_of_limited_participation_are_taken_but_not_visible() -> None:
    limited = with_library(participation="limited", suppliers=())
    assert refusal(limited) is None
    assert not Admission(limited, None, DAY).is_visible("SOLB")
    assert Admission(with_library(participation="registering"), None, DAY).is_visible("SOLB")


def test_the_catalogues_own_export_is_never_refused() -> None:
    assert Admission(REGISTER, None, DAY).refusal("XXXX") is None
