"""What Alma's REST API answers: users, pages of the list, and errors in their documented forms, XML and JSON.

Alma's error messages quote the id that was asked for. So nothing here ever keeps one: codes and tracking ids only.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import orjson
from lxml import etree

from schemas.errors import SamkatError
from tasks.patrons.alma_pieces import hardened_parser

NOT_FOUND: Final = "401861"
"""User with identifier X was not found: the only answer that means so."""
DAILY_THRESHOLD: Final = "DAILY_THRESHOLD"
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class AlmaAwayError(ConnectionError):
    """The library system does not answer, or asks to be left alone for a while: trying again later can help.

    No `SamkatError`: nothing is wrong with the work, and a stage tries again what is an `OSError`.
    """


class AlmaError(SamkatError):
    """The library system answered, and trying again would end in the same way."""

    def __init__(
        self, cause: str, *, status: int | None = None, codes: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        self.status = status
        self.codes = codes
        super().__init__(cause, file="Alma", remedy=remedy)


class AlmaRefusedError(AlmaError):
    """The request was refused: key, rights, or what was asked."""


class AlmaQuotaError(AlmaError):
    """The institution's requests of this day are used up, or what is left belongs to others."""


class AlmaAnswerError(AlmaError):
    """The answer is not what was asked for: another user, a list that does not add up, no user at all."""


class ErrorBody(NamedTuple):
    """What the body of an error says."""

    codes: tuple[str, ...] = ()
    tracking_ids: tuple[str, ...] = ()

    def words(self) -> str:
        """For a message; empty where it says nothing that can be shown."""
        parts = [f"error {', '.join(self.codes)}"] if self.codes else []
        return ", ".join(parts + [f"tracking id {each}" for each in self.tracking_ids])


class UserPage(NamedTuple):
    """One page of the list of users."""

    total: int
    """Users in all, as the API counts them now."""
    entries: tuple[str, ...]
    """Their primary ids, in the API's order. Alma's contacts stand there as "no primary id (123)"."""

    def __repr__(self) -> str:
        """Without the ids."""
        return f"UserPage({len(self.entries)} of {self.total})"


def parsed(body: bytes) -> etree._Element | None:
    """The root of an answer; None where it is no whole XML, as it is when a connection was cut."""
    try:
        return etree.fromstring(body, hardened_parser())
    except (etree.XMLSyntaxError, ValueError):  # its words may quote the person
        return None


def local_name(element: etree._Element) -> str:
    """Its tag without namespace."""
    return str(etree.QName(element).localname)


def error_body(body: bytes) -> ErrorBody:
    """Codes and tracking ids of an error, in Alma's XML or JSON. Anything else (a proxy's page) is empty."""
    if body.lstrip()[:1] == b"{":
        found = _from_json(body)
    else:
        root = parsed(body)
        found = [] if root is None else [(local_name(each), each.text or "") for each in root.iter("{*}*")]
    return ErrorBody(
        tuple(dict.fromkeys(text for name, text in found if name == "errorCode" and _CODE.fullmatch(text))),
        tuple(dict.fromkeys(text for name, text in found if name == "trackingId" and _CODE.fullmatch(text))),
    )


def _from_json(body: bytes) -> list[tuple[str, str]]:
    try:
        errors: Any = orjson.loads(body)["errorList"]["error"]
        return [(name, str(text)) for error in errors for name, text in error.items()]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return []


def user_page(root: etree._Element) -> UserPage:
    """A page of `GET /almaws/v1/users`. Raises `AlmaAnswerError` for anything else."""
    total = str(root.get("total_record_count", ""))
    if local_name(root) != "users" or not total.isdigit():
        raise AlmaAnswerError("the answer is no list of users with its total")
    return UserPage(int(total), tuple(primary_id_of(each) for each in root))


def can_be_asked_for(entry: str) -> bool:
    """Whether an entry of the list is an id; the link of a contact leads nowhere."""
    return bool(entry) and not entry.startswith("no primary id")


def primary_id_of(user: etree._Element) -> str:
    """Its primary id, trimmed; empty where it has none."""
    found = next((each for each in user.iter("{*}primary_id")), None)
    return (found.text or "").strip() if found is not None else ""
