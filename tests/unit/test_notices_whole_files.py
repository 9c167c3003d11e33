"""Why a file was rejected, read back from the words that the ledger keeps, and told in the supplier's language."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import DeliveryRejectedError
from schemas.register.suppliers import Supplier
from tasks.landing.names import check_name
from tasks.landing.unpack import UnpackLimits, measure
from tasks.marc.reading import open_delivery
from tasks.marc.rules import ReadingRules
from tasks.notices.gathering_rejects import reason_of_file
from tasks.notices.rejects import RejectedFile, compose_supplier_rejects
from tests.unit.notices_samples import CATALOGUE, SENDER, rejects

SUPPLIERS = {supplier.code: supplier for supplier in read_register(SAMPLE_REGISTER).suppliers}
BOKRING = SUPPLIERS["BOKRING"]


def rejection(refuse: Callable[[], object]) -> str:
    """What the ledger keeps of a refusal."""
    with pytest.raises(DeliveryRejectedError) as caught:
        refuse()
    return str(caught.value)


def opened(content: bytes, name: str) -> Callable[[], object]:
    def refuse() -> object:
        pieces = open_delivery(
            io.BytesIO(content), member_no=0, first_position=1, rules=ReadingRules(), file=name
        ).pieces
        return list(pieces)

    return refuse


@pytest.mark.parametrize(
    ("content", "rule", "text"),
    [
        (b"<!DOCTYPE html><html>log in</html>", "not_marc", "an HTML page (starts `<!DOCTYPE html`), not MARC"),
        (b"%PDF-1.7 (a) (b", "not_marc", "a PDF document, not MARC"),
        (b"", "empty", ""),
        (b'<?xml version="1.0"?><collection xmlns="http://www.loc.gov/MARC21/slim"></collection>', "empty", ""),
    ],
)
def test_a_file_that_is_no_marc_is_known_by_its_rule(content: bytes, rule: str, text: str) -> None:
    name = "a (b): c.xml"
    reason, remedy = reason_of_file(rejection(opened(content, name)), name)
    assert (reason.rule, reason.text) == (rule, text)
    assert remedy
    assert name not in remedy


def test_a_name_that_is_not_as_agreed_is_told_with_the_example_of_the_register() -> None:
    kept = rejection(lambda: check_name("ny_leverans.xml", BOKRING.file))
    reason, remedy = reason_of_file(kept, "ny_leverans.xml", BOKRING.file.example)
    assert (reason.rule, reason.parameters) == ("file_name", {"example": BOKRING.file.example})
    assert remedy.startswith("rename it: the agreed pattern is BOKRING_(?P<sigel>")
    told = compose_supplier_rejects(
        rejects(files=(RejectedFile("ny_leverans.xml", 1, "ab" * 32, reason, remedy),), language="sv"),
        CATALOGUE,
        SENDER,
    )
    assert told is not None
    assert f"Döp om filen som överenskommet, till exempel {BOKRING.file.example}, och skicka den igen." in told.text
    assert "?P<" not in told.text


@pytest.mark.parametrize(
    "supplier", [each for each in SUPPLIERS.values() if each.file.pattern], ids=lambda each: each.code
)
def test_every_suppliers_own_pattern_is_parted_from_the_cause(supplier: Supplier) -> None:
    kept = rejection(lambda: check_name("wrong", supplier.file))
    assert reason_of_file(kept, "wrong", supplier.file.example)[0].rule == "file_name"


def test_what_is_not_known_is_told_in_its_own_words() -> None:
    limits = UnpackLimits(10, 200.0, 10)
    kept = rejection(lambda: measure(io.BytesIO(b"PK\x03\x04" + b"x" * 100), "day.zip", limits))
    reason, remedy = reason_of_file(kept, "day.zip")
    assert reason.rule == "file"
    assert reason.text.startswith("it begins like a zip file, but its table of contents cannot be read (")
    assert remedy == "it was cut off, or was still being sent: send it again"


words = st.text(alphabet="abc ,;:`<>%", min_size=1, max_size=20).map(str.strip).filter(bool)


@given(cause=words, inside=words, remedy=words, nested=words)
def test_cause_and_remedy_come_apart_whatever_brackets_are_inside_them(
    cause: str, inside: str, remedy: str, nested: str
) -> None:
    full_cause, full_remedy = f"x {cause} ({inside}) y", f"{remedy} ({nested}) z"
    error = DeliveryRejectedError(full_cause, file="day.mrc", remedy=full_remedy)
    reason, found = reason_of_file(str(error), "day.mrc")
    assert (reason.text, found) == (full_cause, full_remedy)
