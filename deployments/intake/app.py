"""The HTTP of the intake service: `create_app` makes it from a warehouse and a register."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, FastAPI, Header, Path, Query
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from deployments.intake.described import ABOUT, ReceiptDocument, body_of, document_of
from deployments.intake.guarding import SHOWN, Outermost
from deployments.intake.limits import TokenBuckets, let_through, read_body
from deployments.intake.problems import MEDIA_TYPE, ProblemDocument, ProblemError, in_documentation
from deployments.intake.service import FORMS, IntakeService, Sent
from deployments.intake.writing import Writer
from tasks.patrons.instant_reading import Form, Method
from tasks.patrons.intake_tokens import IntakeToken
from tasks.patrons.receipts import KeyTakenError, Receipt

T = TypeVar("T")
RATE: Final = 30.0
"""Requests a second and token, unless the setting says otherwise."""
THREADS: Final = 10
"""Updates under way at a time; the connections of the pool are enough for them."""
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_ALWAYS = (
    *(HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    *(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE),
)
_WITH_BODY = (*_ALWAYS, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_DONE: dict[int | str, dict[str, Any]] = {
    200: {"model": ReceiptDocument, "description": "Done; or nothing was to be done"},
    202: {"model": ReceiptDocument, "description": "It waits, or a part of it is held for approval"},
}
_CREATED: dict[int | str, dict[str, Any]] = {201: {"model": ReceiptDocument, "description": "Done: a new person"}}

Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, description="The institution's token, as the operator gave it")),
]
Institution = Annotated[str, Path(description="Code of the institution", examples=["VEST"])]
PersonId = Annotated[str, Path(description="A stable id of the person", examples=["anna.berg@vestmark.example"])]
IdType = Annotated[
    str | None, Query(description="Namespace of the id; without it the source's first stable one", examples=["feide"])
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Needed. The same request under the same key has the same receipt; make a new one for each update",
    ),
]


def create_app(service: IntakeService, *, rate: float = RATE) -> FastAPI:
    """The service as an ASGI application. `rate`: requests a second and token; twice as many after a rest."""
    intake = _Intake(service, TokenBuckets(rate, 2 * rate))

    @contextlib.asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        intake.writer.start()
        yield
        await intake.blocking(intake.writer.stop)

    app = FastAPI(
        lifespan=living,
        title="Samkat intake",
        summary="Instant updates of library patrons",
        description=ABOUT,
        version="1",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_tags=[{"name": "persons"}, {"name": "receipts"}, {"name": "health"}],
    )
    app.add_middleware(Outermost)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    _add_updates(app, intake)
    _add_receipts(app, intake)
    _describe_problems(app)
    return app


class _Intake:
    """What the endpoints share."""

    def __init__(self, service: IntakeService, buckets: TokenBuckets) -> None:
        self.service = service
        self.writer = Writer(service.carry_out)
        self._buckets = buckets
        self._threads = anyio.CapacityLimiter(THREADS)

    async def blocking(self, work: Callable[[], T]) -> T:
        """`work` in a thread."""
        return await anyio.to_thread.run_sync(work, limiter=self._threads)

    async def token(self, credentials: HTTPAuthorizationCredentials | None, institution: str | None) -> IntakeToken:
        """Who asks. Raises the problems 401, 403 and 429."""
        shown = credentials.credentials if credentials is not None else None
        token = await self.blocking(functools.partial(self.service.authorise, shown))
        let_through(self._buckets, token.token_id)
        if institution is not None and institution != token.institution:
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                "not_yours",
                "the token is another institution's",
                field="institution",
                remedy=f"this token is for {token.institution}",
            )
        return token

    async def update(
        self, request: Request, method: Method, path: tuple[str, str], given: tuple[Any, str | None, str | None]
    ) -> JSONResponse:
        """An update, from its headers to its receipt. `path`: institution and person; `given`: token, key, type."""
        (institution, person_id), (credentials, key, id_type) = path, given
        token = await self.token(credentials, institution)
        request.scope[SHOWN] = f"{token.institution} {self.service.shown(token, person_id)}"
        form = "json" if method == "DELETE" else _form_of(request)
        if key is None or _KEY.fullmatch(key) is None:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST,
                "no_key",
                "is not there, or is not 1 to 200 printable ASCII characters",
                field="Idempotency-Key",
                remedy="send one, such as a UUID; a new one for each update",
            )
        body = await read_body(request, self.service.max_body_bytes)
        sent = Sent(token, method, id_type, person_id, key, form, b"" if method == "DELETE" else body)
        asked = await self.blocking(functools.partial(self.service.understood, sent))
        try:
            # A sender that goes away meanwhile takes nothing back: the update is under way.
            return _answer(await asyncio.shield(asyncio.wrap_future(self.writer.submit(asked))))
        except KeyTakenError:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "key_taken",
                "another request came under this key before",
                field="Idempotency-Key",
                remedy="make a new key for each update, and keep it where you send the same one again",
            ) from None


def _form_of(request: Request) -> Form:
    name = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = FORMS.get(name)
    if form is None:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "content_type",
            "the body is neither JSON nor XML, by its header",
            field="Content-Type",
            remedy=f"send {', '.join(FORMS)}",
        )
    return form


def _answer(receipt: Receipt) -> JSONResponse:
    """The status follows from the receipt, so that the same request has the same answer."""
    if receipt.state == "refused":
        is_unknown = receipt.rule == "unknown"
        raise ProblemError(
            HTTPStatus.NOT_FOUND if is_unknown else HTTPStatus.CONFLICT,
            receipt.rule,
            receipt.reason,
            remedy=None if is_unknown else "clear it up with the library, then send it again under a new key",
            receipt_id=receipt.receipt_id,
        )
    if receipt.state in ("waiting", "held"):
        status = HTTPStatus.ACCEPTED
    else:
        status = HTTPStatus.CREATED if receipt.rule == "created" else HTTPStatus.OK
    location = {"Location": f"/v1/receipts/{receipt.receipt_id}"}
    return JSONResponse(document_of(receipt).model_dump(mode="json"), status.value, location)


def _add_updates(app: FastAPI, intake: _Intake) -> None:
    address = "/v1/institutions/{institution}/persons/{person_id:path}"

    @app.put(
        address,
        tags=["persons"],
        summary="A whole person",
        operation_id="put_person",
        responses=_DONE | _CREATED | in_documentation(*_WITH_BODY),
        openapi_extra=body_of("PUT"),
        response_model=None,
    )
    async def put_person(
        request: Request, institution: Institution, person_id: PersonId, token: Bearer, key: Key = None,
        id_type: IdType = None,
    ) -> JSONResponse:  # fmt: skip
        """The whole person, who is made where there is none. What is not in it is taken as null."""
        return await intake.update(request, "PUT", (institution, person_id), (token, key, id_type))

    @app.patch(
        address,
        tags=["persons"],
        summary="A part of a person",
        operation_id="patch_person",
        responses=_DONE | in_documentation(*_WITH_BODY),
        openapi_extra=body_of("PATCH"),
        response_model=None,
    )
    async def patch_person(
        request: Request, institution: Institution, person_id: PersonId, token: Bearer, key: Key = None,
        id_type: IdType = None,
    ) -> JSONResponse:  # fmt: skip
        """A JSON Merge Patch: absent keeps, null clears where the policy allows it, an array replaces the source's."""
        return await intake.update(request, "PATCH", (institution, person_id), (token, key, id_type))

    @app.delete(
        address,
        tags=["persons"],
        summary="The person has left",
        operation_id="delete_person",
        responses=_DONE | in_documentation(*_ALWAYS),
        response_model=None,
    )
    async def delete_person(
        request: Request, institution: Institution, person_id: PersonId, token: Bearer, key: Key = None,
        id_type: IdType = None,
    ) -> JSONResponse:  # fmt: skip
        """The source says that the person has left; grace and what follows are the policy's. Nobody is erased."""
        return await intake.update(request, "DELETE", (institution, person_id), (token, key, id_type))


def _add_receipts(app: FastAPI, intake: _Intake) -> None:
    @app.get(
        "/v1/receipts/{receipt_id}",
        tags=["receipts"],
        summary="What became of an update",
        operation_id="get_receipt",
        responses=in_documentation(
            HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE
        ),
    )
    async def get_receipt(
        receipt_id: Annotated[int, Path(ge=1, le=2**62, description="As the update was answered")], token: Bearer
    ) -> ReceiptDocument:
        """A receipt of the token's own source, as it is now."""
        known = await intake.token(token, None)
        found = await intake.blocking(functools.partial(intake.service.receipt, known, receipt_id))
        if found is None:
            raise ProblemError(
                HTTPStatus.NOT_FOUND,
                "no_receipt",
                "there is no receipt of this number for this token",
                field="receipt_id",
                remedy="receipts are kept for some weeks",
            )
        return document_of(found)

    @app.get("/health", tags=["health"], summary="Is the service there", operation_id="health")
    async def health() -> dict[str, str]:
        """`ok` where the warehouse answers; 503 otherwise."""
        await intake.blocking(intake.service.is_well)
        return {"status": "ok"}


def _describe_problems(app: FastAPI) -> None:
    """The schema that all errors name; FastAPI's own of validation errors would quote what was sent."""
    made = app.openapi()
    schemas = made["components"]["schemas"]
    schemas["ProblemDocument"] = ProblemDocument.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operations in made["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422", "")):
                operation["responses"] |= {
                    str(status): answer for status, answer in in_documentation(HTTPStatus.UNPROCESSABLE_ENTITY).items()
                }
    app.openapi_schema = made


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return error.response()


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """A path, query or header that cannot be: named, and not quoted as FastAPI would."""
    assert isinstance(error, RequestValidationError)
    place = [str(each) for each in error.errors()[0]["loc"]]
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "bad_value",
        "cannot be what it should be",
        field=place[-1],
        remedy="see /openapi.json",
    ).response()


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    rule = {HTTPStatus.NOT_FOUND: "no_such_address", HTTPStatus.METHOD_NOT_ALLOWED: "no_such_method"}.get(
        status, "http"
    )
    return ProblemError(status, rule, status.phrase, remedy="see /openapi.json", headers=error.headers).response()


__all__ = ["MEDIA_TYPE", "create_app"]
