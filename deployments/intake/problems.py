"""What goes wrong, as a problem document (RFC 9457): cause, field, remedy. It never holds what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:samkat:intake:"


class ProblemDocument(BaseModel):
    """The body of every answer that is an error."""

    type: str = Field(description="`urn:samkat:intake:` and the rule")
    title: str = Field(description="The status in words")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="What is wrong; never quotes what was sent")
    field: str | None = Field(None, description="Where: a key, an element, a header")
    remedy: str | None = Field(None, description="What to do")
    receipt_id: int | None = Field(None, description="Of an update that was refused: its receipt")


class ProblemError(Exception):
    """A request that ends in an error. Its words never hold what was sent."""

    def __init__(
        self,
        status: HTTPStatus,
        rule: str,
        detail: str,
        *,
        field: str | None = None,
        remedy: str | None = None,
        receipt_id: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(rule)
        self.status = status
        self.headers = dict(headers or {})
        self.document = ProblemDocument(
            type=f"{TYPE_PREFIX}{rule}",
            title=status.phrase,
            status=status.value,
            detail=detail,
            field=field,
            remedy=remedy,
            receipt_id=receipt_id,
        )

    def response(self) -> JSONResponse:
        """As it is answered."""
        return JSONResponse(
            self.document.model_dump(exclude_none=True), self.status.value, self.headers, media_type=MEDIA_TYPE
        )


def in_documentation(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """These answers as OpenAPI has them."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {
        each.value: {"description": _DESCRIPTIONS.get(each, each.phrase), "content": _with_example(each, content)}
        for each in statuses
    }


def _with_example(status: HTTPStatus, content: dict[str, Any]) -> dict[str, Any]:
    example = _EXAMPLES.get(status)
    if example is None:
        return content
    return {MEDIA_TYPE: content[MEDIA_TYPE] | {"example": example.document.model_dump(exclude_none=True)}}


_DESCRIPTIONS: Final = {
    HTTPStatus.BAD_REQUEST: "The request lacks its Idempotency-Key, or has one that cannot be used",
    HTTPStatus.UNAUTHORIZED: "No token, or one that is unknown, expired or revoked",
    HTTPStatus.FORBIDDEN: "The token is another institution's",
    HTTPStatus.NOT_FOUND: "PATCH and DELETE: the source has no such person. Receipts: there is none of this number",
    HTTPStatus.CONFLICT: "It cannot be said whom the update is about, or another request had this key",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than a person can be",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is neither JSON nor XML",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The body cannot be read as a person",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests with this token; `Retry-After` says when to go on",
    HTTPStatus.SERVICE_UNAVAILABLE: "Nothing was stored: send the same request with the same key again",
}
_EXAMPLES: Final = {
    HTTPStatus.UNPROCESSABLE_ENTITY: ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "bad_value",
        "is no date as it was agreed",
        field="expiry_date",
        remedy="correct it",
    ),
    HTTPStatus.CONFLICT: ProblemError(
        HTTPStatus.CONFLICT,
        "taken",
        "another person has this identifier now",
        remedy="clear it up with the library",
        receipt_id=1207,
    ),
    HTTPStatus.NOT_FOUND: ProblemError(
        HTTPStatus.NOT_FOUND, "unknown", "the source has no such person; a PUT makes one", receipt_id=1208
    ),
}
