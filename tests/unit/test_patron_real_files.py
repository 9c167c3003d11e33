"""Real sample files of others load through configuration alone.

The files are not part of the project; where they are absent these tests are skipped.
"""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.alma_users import AlmaUser, CurrentPerson, OutRules
from schemas.errors import DeliveryRejectedError
from schemas.patrons import IncomingPerson, RejectedRow
from schemas.register.patron_sources import PatronSource
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.alma_packing import HEAD, TAIL
from tasks.patrons.read_back import as_current, edited_paths, read_export
from tasks.patrons.reading import read_persons

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "patrons"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the sample files are not here")

_FOLIO_COLUMNS = [
    {"name": "username", "to": ["primary_id"]},
    {"name": "externalSystemId", "to": ["user_identifiers[external].value"]},
    {"name": "barcode", "to": ["user_identifiers[barcode].value"]},
    {"name": "id", "to": ["user_identifiers[folio].value"]},
    {"name": "patronGroup", "to": ["affiliation.category"]},
    {"name": "active", "to": ["status"], "values": {"true": "ACTIVE", "false": "INACTIVE"}},
    {"name": "enrollmentDate", "to": ["affiliation.valid_from"]},
    {"name": "expirationDate", "to": ["expiry_date"]},
    {"name": "personal.lastName", "to": ["last_name"]},
    {"name": "personal.firstName", "to": ["first_name"]},
    {"name": "personal.middleName", "to": ["middle_name"]},
    {"name": "personal.preferredFirstName", "to": ["pref_first_name"]},
    {"name": "personal.dateOfBirth", "to": ["birth_date"]},
    {"name": "personal.email", "to": ["emails[personal].email_address"]},
    {"name": "personal.phone", "to": ["phones[home].phone_number"]},
    {"name": "personal.mobilePhone", "to": ["phones[mobile].phone_number"]},
    {"name": "personal.addresses[].addressTypeId", "to": ["addresses[].type"]},
    {"name": "personal.addresses[].primaryAddress", "to": ["addresses[].preferred"]},
    {"name": "personal.addresses[].addressLine1", "to": ["addresses[].line1"]},
    {"name": "personal.addresses[].addressLine2", "to": ["addresses[].line2"]},
    {"name": "personal.addresses[].city", "to": ["addresses[].city"]},
    {"name": "personal.addresses[].region", "to": ["addresses[].state_province"]},
    {"name": "personal.addresses[].postalCode", "to": ["addresses[].postal_code"]},
    {"name": "personal.addresses[].countryId", "to": ["addresses[].country"]},
    {"name": "departments[]", "to": ["user_statistics[department].statistic_category"]},
]
_FOLIO_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"]


def _source(**keys: Any) -> PatronSource:
    return PatronSource.model_validate(
        {"code": "SAMPLE", "name": "Sample", "contact": "a@sample.example", "institution": "SAMPLE", **keys}
    )


def _folio(records: str, **keys: Any) -> PatronSource:
    return _source(
        format="json",
        columns=_FOLIO_COLUMNS,
        dates=_FOLIO_DATES,
        stable_ids=["folio", "external", "primary_id", "barcode"],
        json_rules={"records": records, **keys},
    )


def _staging(records: str) -> PatronSource:
    return _source(
        format="json",
        stable_ids=["external"],
        json_rules={"records": records},
        columns=[
            {"name": "externalSystemId", "to": ["user_identifiers[external].value"]},
            {"name": "generalInfo.lastName", "to": ["last_name"], "needed": True},
            {"name": "generalInfo.firstName", "to": ["first_name"]},
            {"name": "addressInfo.addressLine0", "to": ["addresses[home].line1"]},
            {"name": "addressInfo.city", "to": ["addresses[home].city"]},
            {"name": "contactInfo.email", "to": ["emails[personal].email_address"]},
        ],
    )


ALMA = _source(format="bups2")
EVERGREEN = _source(
    format="csv",
    dates=["%Y/%m/%d"],
    columns=[
        {"name": "usrname", "to": ["primary_id"], "needed": True},
        {"name": "cardnumber", "to": ["user_identifiers[barcode].value"]},
        {"name": "profile", "to": ["affiliation.category"]},
        {"name": "family_name", "to": ["last_name"]},
        {"name": "first_given_name", "to": ["first_name"]},
        {"name": "dob", "to": ["birth_date"]},
        {"name": "home_library", "to": ["affiliation.library"]},
        {"name": "email", "to": ["emails[work].email_address"]},
        {"name": "email", "occurrence": 2, "to": ["emails[personal].email_address"]},
        {"name": "day_phone", "to": ["phones[home].phone_number"]},
        {"name": "add1_street1", "to": ["addresses[home].line1"]},
        {"name": "add1_city", "to": ["addresses[home].city"]},
        {"name": "add1_state", "to": ["addresses[home].state_province"]},
        {"name": "satcat_value2", "to": ["user_statistics[school].statistic_category"]},
    ],
)
TSV = _source(
    format="csv",
    csv_rules={"separator": "\t", "quote": ""},
    columns=[
        {"name": "Patron ID", "to": ["user_identifiers[barcode].value"]},
        {"name": "Username", "to": ["primary_id"], "needed": True},
        {"name": "Patron Group", "to": ["affiliation.category"]},
        {"name": "Enrollment Date", "to": ["affiliation.valid_from"]},
        {"name": "Expiration Date", "to": ["expiry_date"]},
        {"name": "Email", "to": ["emails[work].email_address"]},
        {"name": "First Name", "to": ["first_name"]},
        {"name": "Last Name", "to": ["last_name"]},
        {"name": "Address Line 1", "to": ["addresses[home].line1"]},
        {"name": "Address Line 2", "to": ["addresses[home].line2"]},
        {"name": "City", "to": ["addresses[home].city"]},
        {"name": "Zip Code", "to": ["addresses[home].postal_code"]},
        {"name": "Country", "to": ["addresses[home].country"]},
        {"name": "Active User", "to": ["status"], "values": {"TRUE": "ACTIVE", "FALSE": "INACTIVE"}},
    ],
)

FILES: dict[str, tuple[PatronSource, int]] = {
    "MITLibraries__alma-patronload/*.xml": (ALMA, 4),
    "evergreen-library-system__Evergreen/*patrons-to-import.csv": (EVERGREEN, 2),
    "kevinpowell1__folio_user_loading/*.tsv": (TSV, 250),
    "kevinpowell1__folio_user_loading/*transform_users.json": (_folio("", lines=True), 250),
    "folio-org__mod-users/*users-15.4.0__User*.json": (_folio(""), 113),
    "folio-org__mod-users/*examples__user.sample": (_folio(""), 1),
    "folio-org__mod-users/*examples__user_collection.sample": (_folio("users[]"), 1),
    "folio-org__mod-users/*staging_user.sample": (_staging(""), 1),
    "folio-org__mod-users/*staging_user_collection.sample": (_staging("staging_users[]"), 1),
    "folio-org__mod-user-import/*userdataimportCollection.json": (_folio("users[]"), 1),
    "folio-org__mod-user-import/*__user-import.json": (_folio("users[]"), 3),
    "folio-org__mod-user-import/*__mock_*.json": (_folio("mocks[].receivedData.users[]"), 50),
}
"""Pattern of names: how they are read, and the persons in all of them."""


def _loaded(pattern: str) -> tuple[list[IncomingPerson | RejectedRow], list[str]]:
    """Rows of all files of a pattern, and why the others were refused."""
    rows: list[IncomingPerson | RejectedRow] = []
    refused = []
    for file in sorted(FOLDER.glob(pattern)):
        with file.open("rb") as stream:
            try:
                rows += read_persons(stream, file.name, FILES[pattern][0])
            except DeliveryRejectedError as error:
                refused.append(error.cause)
    return rows, refused


@pytest.mark.parametrize("pattern", FILES)
def test_the_files_load_by_configuration(pattern: str) -> None:
    rows, refused = _loaded(pattern)
    # Only the mocks of a service that answered with an error have no place for users.
    assert set(refused) <= ({"it holds no mocks[].receivedData.users[]"} if "mock" in pattern else set())
    assert [each for each in rows if isinstance(each, RejectedRow)] == []
    assert len(rows) == FILES[pattern][1]


def test_names_dates_and_addresses_arrive_in_their_places() -> None:
    counts: Counter[str] = Counter()
    for pattern in FILES:
        for person in _loaded(pattern)[0]:
            assert isinstance(person, IncomingPerson)
            counts.update(path for path, value in person.values.items() if value is not None)
            counts.update(path for path, items in person.lists.items() if items)
            counts["preferred"] += any(each.is_preferred for each in person.lists.get("addresses", ()))
            assert all(each.key and each.fields for items in person.lists.values() for each in items)
    least = {"last_name": 600, "emails": 600, "addresses": 600, "expiry_date": 400, "birth_date": 110, "preferred": 350}
    assert {path: counts[path] for path, expected in least.items() if counts[path] < expected} == {}


def test_real_alma_users_go_out_and_come_back_as_they_were() -> None:
    rules, users = OutRules(), 0
    for file in sorted(FOLDER.glob("MITLibraries__alma-patronload/*.xml")):
        with file.open("rb") as stream:
            for person in read_export(stream, file.name, rules):
                assert isinstance(person, CurrentPerson)
                told = AlmaUser(person.values, person.lists)
                content = HEAD + compose_user(told, rules).content + TAIL
                (back,) = read_export(io.BytesIO(content), file.name, rules)
                assert isinstance(back, CurrentPerson)
                assert edited_paths(as_current(back, told, rules), told) == set()
                users += 1
    assert users == 4
