"""Persons as the file of their source: BUPS 1, BUPS 2 in a zip, and the two kinds of CSV."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import date

from deployments.sample.encoding import zipped
from deployments.sample.patrons.alma import document, sent_user
from deployments.sample.patrons.people import ORIGINS, Person, SourceCode

SEPARATOR = "-" * 20
MEMBERS = 5
"""Files in the zip of the college."""
MANIFEST = ".manifest.json"
_LETTER_LANGUAGES = {"nb": "NOB", "nn": "NNO", "da": "DAN", "sv": "SWE", "en": "ENG"}
HOSPITAL = (
    *("Anstnr", "Efternamn", "Förnamn", "Tilltalsnamn", "Yrkesgrupp", "Klinik", "E-post", "Telefon", "Gatuadress"),
    *("Postnr", "Ort", "Anställd från", "Anställd till", "Skyddad identitet", "Lönegrupp", "Lärosäteskonto"),
)
MUNICIPALITY = (
    *("Løpenr", "Lånekort", "Gammelt kort", "Etternavn", "Fornavn", "Kallenavn", "Type", "Enhet", "E-post", "Mobil"),
    *("Adresse", "Postnr", "Poststed", "Født", "Målform", "Gyldig til", "Sperret adresse"),
)


def members(source: SourceCode, persons: Sequence[Person]) -> list[bytes]:
    """The content of a source's file with these persons; of the college the members of its zip."""
    if source == "VESTSTUD":
        size = -(-len(persons) // MEMBERS)
        parts = [persons[number * size : (number + 1) * size] for number in range(MEMBERS)]
        return [document(map(sent_user, part)) for part in parts]
    text = {"NORUPERS": bups1, "SJUKHUS": hospital_rows, "FJORKOMM": municipal_rows}[source](persons)
    return [text.encode(ORIGINS[source].charset)]


def packed(source: SourceCode, contents: Sequence[bytes], on: date) -> bytes:
    """The file of these members: the college's in a zip, each with the night in its name."""
    if source != "VESTSTUD":
        return b"".join(contents)
    names = [f"VESTSTUD_{on:%Y%m%d}_{number}.xml" for number in range(1, len(contents) + 1)]
    return zipped(list(zip(names, contents, strict=True)))


def manifest(content: bytes, persons: int) -> bytes:
    """What the college says of a file."""
    said = {"persons": persons, "sha256": hashlib.sha256(content).hexdigest()}
    return (json.dumps(said) + "\n").encode()


def bups1(persons: Iterable[Person]) -> str:
    """`KK:value` lines; a line of minus signs behind each person. A family name that is empty has no line."""
    records = []
    for person in persons:
        lines = [
            ("LT", person.card),
            ("GL", person.old_id),
            ("RS", "NORU001"),
            ("EN", person.family),
            ("FN", person.given),
            ("KA", person.category),
            ("FI", person.key),
            ("GD", person.valid_to.isoformat() if person.valid_to else ""),
            ("IN", "Nordhavets universitet"),
            ("AV", person.department),
            ("FD", person.born.isoformat()),
            ("SK", _LETTER_LANGUAGES[person.language]),
            ("TM", person.mobile),
        ]
        text = [f"{code}:{value}" for code, value in lines if value]
        # Always there: without a value it says that there is none.
        records.append("\n".join([*text, f"EP:{person.email or ''}", *person.more_lines, SEPARATOR, ""]))
    return "".join(records)


def hospital_rows(persons: Iterable[Person]) -> str:
    """The hospital's rows, with its header."""
    rows = [";".join(HOSPITAL)]
    for person in persons:
        cells = (
            *(person.key, person.family, person.given, person.preferred_given, person.category, person.department),
            *(person.email or "", person.mobile, person.street, person.postal_code, person.city),
            person.valid_from.isoformat() if person.valid_from else "",
            f"{person.valid_to:%d.%m.%Y}" if person.valid_to else "",
            *("J" if person.is_confidential else "N", str(person.number % 7), person.feide),
        )
        rows.append(";".join(cells))
    return "\n".join(rows) + "\n"


def municipal_rows(persons: Iterable[Person]) -> str:
    """The municipality's rows, with its header; lines end as on Windows."""
    rows = [";".join(MUNICIPALITY)]
    for person in persons:
        cells = (
            *(person.key, person.card, person.old_id, person.family, person.given, person.preferred_given),
            *(person.category, person.department, person.email or "", person.mobile),
            *(person.street, person.postal_code, person.city, f"{person.born:%d.%m.%Y}"),
            {"nn": "N", "nb": "B"}.get(person.language, person.language),
            f"{person.valid_to:%d.%m.%Y}" if person.valid_to else "",
            "J" if person.is_confidential else "N",
        )
        rows.append(";".join(cells))
    return "\r\n".join(rows) + "\r\n"
