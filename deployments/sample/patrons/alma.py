"""Persons as Alma's user XML: the college's files, and what a library system exports of its users.

Elements stand in Alma's order. The writer is a plain one: text is put together, nothing is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape, quoteattr

from deployments.sample.patrons.people import ORIGINS, Person, SourceCode

OWN_NAMESPACE = "urn:samkat:patron:1"
"""Of Samkat's own elements; docs/patron-formats.md describes them."""
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<users>\n'
TAIL = "</users>\n"
SCALARS = (
    *("record_type", "primary_id", "first_name", "middle_name", "last_name"),
    *("pref_first_name", "pref_middle_name", "pref_last_name", "pref_name_suffix", "pin_number", "user_title"),
    *("job_category", "job_description", "gender", "user_group", "campus_code", "web_site_url", "cataloger_level"),
    *("preferred_language", "birth_date", "expiry_date", "purge_date", "account_type", "external_id", "status"),
    "status_date",
)
"""The single elements of a user, in their order. `AFTER_SCALARS` follow."""
AFTER_SCALARS = (
    *("contact_info", "is_researcher", "user_identifiers", "user_roles", "user_notes", "user_blocks"),
    *("user_statistics", "rs_libraries", "library_notices"),
)
GROUPS: Mapping[SourceCode, Mapping[str, str]] = {
    "NORUPERS": {"10": "employee", "20": "student", "21": "phd", "30": "guest"},
    "SJUKHUS": {"LAK": "employee", "SSK": "employee", "EXT": "guest"},
    "VESTSTUD": {"student": "student", "exchange": "student", "staff": "employee"},
    "FJORKOMM": {"ELEV": "pupil", "LAR": "teacher", "ANS": "employee"},
}
"""Category to user group, as the register of the sample has it; a test holds the two against each other."""


def sent_user(person: Person) -> str:
    """A person of the college's own register, as its file has them."""
    scalars = {
        "record_type": "PUBLIC",
        "primary_id": person.key,
        "first_name": person.given,
        "last_name": person.family,
        "pref_first_name": person.preferred_given,
        "user_group": person.category,
        "campus_code": person.department,
        "preferred_language": person.language,
        "birth_date": person.born.isoformat(),
        "expiry_date": person.valid_to.isoformat() if person.valid_to else "",
        "account_type": "EXTERNAL",
        "external_id": "VESTSTUD",
        "status": "ACTIVE",
    }
    return user_xml(scalars, _contacts(person, "school", "mobile"), _identifiers(person, "VESTSTUD"), _own(person))


def held_user(source: SourceCode, person: Person) -> str:
    """The person as the library system holds them once all was synchronised that this source says."""
    scalars = {
        "record_type": "PUBLIC",
        "primary_id": ORIGINS[source].primary_id(person),
        "first_name": person.given,
        "last_name": person.family,
        "pref_first_name": person.preferred_given if source != "NORUPERS" else "",
        "user_group": GROUPS[source][person.category],
        "campus_code": person.department if source == "VESTSTUD" else "",
        "preferred_language": person.language if source != "SJUKHUS" else "",
        "birth_date": person.born.isoformat() if source != "SJUKHUS" else "",
        "expiry_date": person.valid_to.isoformat() if person.valid_to else "2026-01-31",
        "account_type": "EXTERNAL",
        "status": "ACTIVE",
    }
    contacts = {
        "NORUPERS": _contacts(person, "work", "mobile", has_home=False),
        "SJUKHUS": _contacts(person, "work", "work"),
        "VESTSTUD": _contacts(person, "school", "mobile"),
    }[source]
    return user_xml(scalars, contacts, _identifiers(person, source), "")


def user_xml(scalars: Mapping[str, str], contacts: str, identifiers: str, more: str) -> str:
    """A user from its parts; empty scalars are left out."""
    lines = [f"    <{name}>{escape(scalars[name])}</{name}>\n" for name in SCALARS if scalars.get(name)]
    return (
        f"  <user>\n{''.join(lines)}    <contact_info>\n{contacts}    </contact_info>\n"
        f"    <user_identifiers>\n{identifiers}    </user_identifiers>\n{more}  </user>\n"
    )


def document(users: Iterable[str]) -> bytes:
    """A whole document of these users."""
    return (HEAD + "".join(users) + TAIL).encode()


def identifier(kind: str, value: str) -> str:
    """One identifier of the external segment."""
    return (
        f'      <user_identifier segment_type="External"><id_type>{kind}</id_type>'
        f"<value>{escape(value)}</value><status>ACTIVE</status></user_identifier>\n"
    )


def _identifiers(person: Person, source: SourceCode) -> str:
    found = [identifier("employee_no", person.key)] if source == "SJUKHUS" else []
    # Alma takes no value twice: where the card is the primary id it is no barcode beside it.
    if source == "VESTSTUD":
        found.append(identifier("barcode", person.card))
    if person.feide:
        found.append(identifier("feide", person.feide))
    return "".join(found)


def _contacts(person: Person, email_type: str, phone_type: str, *, has_home: bool = True) -> str:
    parts = []
    if has_home:
        parts.append(
            '      <addresses><address preferred="true" segment_type="External">'
            f"<line1>{escape(person.street)}</line1><city>{escape(person.city)}</city>"
            f"<postal_code>{person.postal_code}</postal_code>"
            "<address_types><address_type>home</address_type></address_types></address></addresses>\n"
        )
    # An element that is there and empty says that there is none.
    mails = (
        f'<email preferred="true" segment_type="External"><email_address>{escape(person.email)}</email_address>'
        f"<email_types><email_type>{email_type}</email_type></email_types></email>"
        if person.email
        else ""
    )
    parts.append(f"      <emails>{mails}</emails>\n")
    parts.append(
        '      <phones><phone preferred="true" preferred_sms="false" segment_type="External">'
        f"<phone_number>{escape(person.mobile)}</phone_number>"
        f"<phone_types><phone_type>{phone_type}</phone_type></phone_types></phone></phones>\n"
    )
    return "".join(parts)


def _own(person: Person) -> str:
    """The elements of Samkat's namespace."""
    name = f"xmlns:s={quoteattr(OWN_NAMESPACE)}"
    parts = []
    if person.orders:
        parts.append(f"    <s:protection {name}>{''.join(person.orders)}</s:protection>\n")
    if person.is_confidential:
        parts.append(f"    <s:confidential {name}>true</s:confidential>\n")
    if person.old_id:
        parts.append(f'    <s:old_id {name} type="primary_id">{escape(person.old_id)}</s:old_id>\n')
    return "".join(parts)
