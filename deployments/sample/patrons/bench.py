"""Patron files for measurements: the college's format, of any size, streamed.

A bench must not measure its own generator, so a person is one template with gaps. Memory does not grow with the
number of persons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

from deployments.sample.patrons.alma import HEAD, TAIL
from deployments.sample.vocabulary import TONGUES

ATTRIBUTES = 21
"""Values that say something about a person in the file; types and flags are not counted."""
_CHUNK = 500
_GROUPS = ("student",) * 8 + ("exchange", "staff")
_LANGUAGES = ("nb", "sv", "da", "en")
_TEMPLATE = """\
<user>
<record_type>PUBLIC</record_type>
<primary_id>V-%(number)09d</primary_id>
<first_name>%(given)s</first_name>
<last_name>%(family)s</last_name>
<pref_first_name>%(preferred)s</pref_first_name>
<job_category>%(job)s</job_category>
<user_group>%(group)s</user_group>
<campus_code>%(campus)s</campus_code>
<preferred_language>%(language)s</preferred_language>
<birth_date>%(born)s</birth_date>
<expiry_date>%(expires)s</expiry_date>
<account_type>EXTERNAL</account_type>
<external_id>VESTSTUD</external_id>
<status>ACTIVE</status>
<contact_info>
<addresses><address preferred="true" segment_type="External"><line1>%(street)s</line1><city>%(city)s</city>\
<postal_code>%(postal_code)s</postal_code><address_types><address_type>home</address_type></address_types></address>\
</addresses>
<emails><email preferred="true" segment_type="External"><email_address>v%(number)09d@vestmark.example\
</email_address><email_types><email_type>school</email_type></email_types></email></emails>
<phones><phone preferred="true" preferred_sms="false" segment_type="External"><phone_number>%(mobile)s\
</phone_number><phone_types><phone_type>mobile</phone_type></phone_types></phone></phones>
</contact_info>
<user_identifiers>
<user_identifier segment_type="External"><id_type>barcode</id_type><value>VB%(number)010d</value>\
</user_identifier>
<user_identifier segment_type="External"><id_type>feide</id_type><value>v%(number)09d@vestmark.example</value>\
</user_identifier>
</user_identifiers>
</user>
"""


@dataclass(frozen=True)
class BenchPersons:
    """What was written."""

    persons: int
    changed: int
    """Persons who are not as they are in the file with the same seed and no changed share."""
    size: int
    """Bytes."""


def write_bups2(path: Path, persons: int, seed: int, changed_share: float = 0.0) -> BenchPersons:
    """Write a file of the college (source VESTSTUD, plain XML) with so many persons of 21 attributes each to `path`.

    With `changed_share` that share of them, spread evenly, has moved: another street and telephone number than in the
    file with the same seed and the share 0. Nobody comes or goes. Raises `ValueError` for a share outside 0 to 1.
    """
    if not 0 <= changed_share <= 1:
        raise ValueError(f"changed_share {changed_share} is not between 0 and 1")
    with path.open("wb", buffering=1 << 20) as file:
        file.write(HEAD.encode())
        for chunk in stream_users(persons, seed, changed_share):
            file.write(chunk)
        file.write(TAIL.encode())
    return BenchPersons(persons, int(persons * changed_share), path.stat().st_size)


def stream_users(persons: int, seed: int, changed_share: float = 0.0) -> Iterator[bytes]:
    """The user elements of `write_bups2`, some thousand at a time."""
    drawn = _Drawn(seed)
    for start in range(0, persons, _CHUNK):
        numbers = range(start, min(start + _CHUNK, persons))
        yield "".join(
            drawn.user(number, int((number + 1) * changed_share) > int(number * changed_share)) for number in numbers
        ).encode()


class _Drawn:
    """Words to choose from, in another order for every seed; a person's number says which are theirs."""

    def __init__(self, seed: int) -> None:
        rng = Random(f"{seed}:bench persons")
        tongues = list(TONGUES.values())
        self._given = [each for tongue in tongues for each in tongue.given]
        self._family = [a + b for tongue in tongues[:3] for a in tongue.family_start for b in tongue.family_end]
        self._places = [each for tongue in tongues for each in tongue.places]
        self._born = [(date(1960, 1, 1) + timedelta(days=day)).isoformat() for day in range(0, 16_000, 7)]
        for words in (self._given, self._family, self._places, self._born):
            rng.shuffle(words)

    def user(self, number: int, is_changed: bool) -> str:
        """One user, counted from 0."""
        given, places = self._given, self._places
        return _TEMPLATE % {
            "number": number + 1,
            "given": given[number % len(given)],
            "family": self._family[number // 7 % len(self._family)],
            "preferred": given[number // 3 % len(given)],
            "job": ("none", "assistant", "lecturer")[number % 3],
            "group": _GROUPS[number % 10],
            "campus": "MAIN" if number % 3 else "HARBOUR",
            "language": _LANGUAGES[number % 4],
            "born": self._born[number % len(self._born)],
            "expires": ("2025-06-30", "2025-08-31", "2026-06-30")[number % 3],
            "street": f"{places[number % len(places)]}veien {number % 97 + (100 if is_changed else 1)}",
            "city": places[number // 5 % len(places)],
            "postal_code": f"{number % 9000 + 1000}",
            "mobile": f"07700 900{(number + (500 if is_changed else 0)) % 1000:03d}",
        }
