"""The OpenAPI of the intake service: the receipt, and the schema of a person, made from the list of paths."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas.patrons import ITEM_FIELDS, PATHS, PREFERRED_LISTS, PatronPath
from tasks.patrons.instant_reading import NEEDED, Method
from tasks.patrons.receipts import Receipt, ReceiptState

ABOUT: Final = """One person at a time, as soon as the institution knows. The person is merged as by the nightly
file, with the same protection of what staff wrote and the same limits.

* `PUT` is the whole person: what the source said before and says no more is taken as null.
* `PATCH` is a JSON Merge Patch: an absent key keeps what is there, null clears it where the policy allows that.
* `DELETE` says that the person has left.

Absent, null and value are three things. Every answer is a receipt or a problem document; neither quotes the person."""

EXAMPLE_PERSON: Final[dict[str, Any]] = {
    "primary_id": "anna.berg@vestmark.example",
    "first_name": "Anna",
    "last_name": "Berg",
    "user_group": "student",
    "library": "VEST",
    "expiry_date": "2025-08-31",
    "preferred_language": "en",
    "emails": [{"type": "school", "email_address": "anna.berg@vestmark.example", "preferred": True}],
    "phones": [{"type": "mobile", "phone_number": "+47 555 01 234"}],
    "user_identifiers": [{"type": "feide", "value": "annber@vestmark.example"}],
}
EXAMPLE_PATCH: Final[dict[str, Any]] = {
    "phones": [{"type": "mobile", "phone_number": "+47 555 09 876"}],
    "user_title": None,
}
EXAMPLE_XML: Final = """<user>
  <primary_id>anna.berg@vestmark.example</primary_id>
  <first_name>Anna</first_name>
  <last_name>Berg</last_name>
  <user_group>student</user_group>
  <contact_info>
    <emails>
      <email preferred="true">
        <email_address>anna.berg@vestmark.example</email_address>
        <email_types><email_type>school</email_type></email_types>
      </email>
    </emails>
  </contact_info>
</user>"""
_JSON_TYPES: Final = {"text": "string", "code": "string", "day": "string", "flag": "boolean"}


class ReceiptDocument(BaseModel):
    """What became of an update. Says nothing about the person."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "receipt_id": 1206,
                "institution": "VEST",
                "source": "VESTSTUD",
                "method": "PUT",
                "state": "done",
                "rule": "created",
                "reason": "",
                "version": 1,
                "plan": None,
                "received_at": "2025-03-14T09:30:00.120000Z",
                "committed_at": "2025-03-14T09:30:00.120000Z",
            }
        }
    )

    receipt_id: int = Field(description="Its number, for `GET /v1/receipts/{receipt_id}`")
    institution: str
    source: str = Field(description="The source as which the token speaks")
    method: Method
    state: ReceiptState = Field(
        description="`done`; `waiting`: it is carried out within a minute or so; `held`: a part waits for approval, "
        "the rest is done; `refused`: nothing was done"
    )
    rule: str = Field(
        description="Of `done`: created, changed or unchanged. Of `held`: the classes of change that wait. Of "
        "`refused`: why, as docs/intake.md has it"
    )
    reason: str = Field(description="In words")
    version: int | None = Field(description="Version of the person that it made; null: none")
    plan: str | None = Field(description="Plan under which a part waits for approval")
    received_at: datetime
    committed_at: datetime | None = Field(description="When it was carried out; null: it waits")


def document_of(receipt: Receipt) -> ReceiptDocument:
    """A receipt as it is answered."""
    return ReceiptDocument(
        receipt_id=receipt.receipt_id,
        institution=receipt.institution,
        source=receipt.source,
        method=receipt.method,
        state=receipt.state,
        rule=receipt.rule,
        reason=receipt.reason,
        version=receipt.version,
        plan=receipt.plan_hash,
        received_at=receipt.received_at,
        committed_at=receipt.committed_at,
    )


def person_schema(needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """JSON schema of a person, from the closed list of paths."""
    properties: dict[str, Any] = {path.name: _path_schema(path) for path in PATHS.values()}
    properties |= {
        "library": _nullable({"type": "string"}, "Library that the person belongs to"),
        "valid_from": _nullable({"type": "string", "format": "date"}, "First valid day"),
        "valid_to": _nullable({"type": "string", "format": "date"}, "Last valid day of the affiliation"),
        "old_ids": _objects(
            {"type": {"type": "string"}, "value": {"type": "string"}}, "Ids that were theirs until now"
        ),
        "protection": _objects(
            {
                "action": {"enum": ["protect", "release"]},
                "path": {"enum": sorted(PATHS)},
                "type": {"type": "string", "description": "Of a list: only items of this type"},
                "reason": {"type": "string"},
                "until": {"type": "string", "format": "date"},
            },
            "Paths of this person to protect, or to release",
        ),
    }
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return schema | {"required": list(needed)} if needed else schema


def _path_schema(path: PatronPath) -> dict[str, Any]:
    if path.kind == "scalar":
        found = {"type": _JSON_TYPES[path.value_type]}
        return _nullable(found | ({"format": "date"} if path.value_type == "day" else {}), path.meaning)
    fields: dict[str, Any] = {name: {"type": ["string", "boolean"]} for name in ITEM_FIELDS[path.name]}
    fields |= {
        "type": {"type": "string"},
        "types": {"type": "array", "items": {"type": "string"}},
        "segment_type": {"enum": ["External", "Internal"]},
    }
    if path.name in PREFERRED_LISTS:
        fields["preferred"] = {"type": "boolean"}
    return _objects(fields, path.meaning)


def _nullable(schema: dict[str, Any], meaning: str) -> dict[str, Any]:
    return schema | {"type": [schema["type"], "null"], "description": meaning}


def _objects(properties: dict[str, Any], meaning: str) -> dict[str, Any]:
    items = {"type": "object", "additionalProperties": False, "properties": properties}
    return {"type": ["array", "null"], "items": items, "description": meaning}


def body_of(method: Method) -> dict[str, Any]:
    """The request body as OpenAPI has it."""
    xml = {"schema": {"type": "string", "description": "Alma's user XML, one `user`"}, "example": EXAMPLE_XML}
    if method == "PUT":
        content = {
            "application/json": {"schema": person_schema(NEEDED), "example": EXAMPLE_PERSON},
            "application/xml": xml,
        }
    else:
        content = {
            "application/merge-patch+json": {"schema": person_schema(), "example": EXAMPLE_PATCH},
            "application/json": {"schema": person_schema(), "example": EXAMPLE_PATCH},
            "application/xml": {"schema": xml["schema"]},
        }
    return {"requestBody": {"required": True, "content": content}}
