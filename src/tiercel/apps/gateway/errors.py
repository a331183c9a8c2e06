"""From an error to an answer: OpenAI-shaped, clear, and without anything that is nobody's business."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiercel.domain.errors import (
    BufferFull,
    ConfigurationError,
    Conflict,
    InvalidInput,
    MissingDependency,
    NoEligibleModel,
    NotFound,
    Problem,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
    TiercelError,
    UnknownModel,
)
from tiercel.services.completion import AllModelsFailed

log = logging.getLogger("tiercel.gateway")

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


_TOLD = 10
_DETAILED = 100
"""How many problems the message names, and how many the details hold."""


class HttpError(Exception):
    """An answer with an error status. `code` is a stable word for programs; `param` the path of the faulty field."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Sequence[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = dict(headers or {})
        self.details = tuple(details)


_MEANINGS: tuple[tuple[type[TiercelError], int, str, str], ...] = (
    (UnknownModel, 404, "model_not_found", ""),
    (NotFound, 404, "not_found", ""),
    (Conflict, 409, "conflict", ""),
    (BufferFull, 507, "buffer_full", "5"),
    (StoreError, 503, "store_unavailable", "1"),
    (MissingDependency, 501, "missing_dependency", ""),
    (TiercelError, 400, "error", ""),
)
"""Error, status, code, Retry-After in seconds; the first that fits."""
_STORE_TEXTS: tuple[tuple[type[StoreError], str], ...] = (
    (BufferFull, "the buffer in front of the store is full; this record was not kept"),
    (StoreUnavailable, "the store is away, locked or full; try again"),
    (StoreCorrupt, "the store holds something that cannot be read"),
    (StoreError, "the store failed"),
)
"""What a client is told of the store; the first that fits. An error's own text may hold a path: the log has it."""


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """Status, headers and JSON body of an error."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer(error: Exception, request_id: str) -> ErrorAnswer:
    """The answer to an error. What is not foreseen becomes a 500 that says the request id only, and is logged."""
    http = as_http(error)
    if isinstance(error, StoreError):
        log.warning("request %s failed in the store: %s", request_id, error, extra={"request_id": request_id})
    if http is None:
        told = {"request_id": request_id}
        log.error("request %s failed by a fault of tiercel", request_id, exc_info=error, extra=told)
        http = HttpError(500, f"internal error; the log has it under request {request_id}", "internal_error")
    kind = _TYPES.get(http.status) or ("invalid_request_error" if http.status < 500 else "server_error")
    content: dict[str, Any] = {"message": http.message, "type": kind, "param": http.param, "code": http.code}
    if http.details:
        content["details"] = [
            {"path": p.path, "message": p.message, "found": p.found, "kind": p.kind} for p in http.details
        ]
    body = json.dumps({"error": content}, ensure_ascii=True).encode()
    return ErrorAnswer(http.status, {"content-type": "application/json", **http.headers}, body)


def as_http(error: Exception) -> HttpError | None:
    """The HTTP meaning of an error, or None where it has none."""
    match error:
        case HttpError():
            http: HttpError | None = error
        case ConfigurationError():
            http = HttpError(503, f"the gateway is not configured for this: {error}", "misconfigured")
        case InvalidInput():
            http = invalid(error.problems)
        case NoEligibleModel():
            reasons = [Problem(model_id, reason) for model_id, reason in error.reasons.items()]
            http = HttpError(503, str(error), "no_eligible_model", headers={"retry-after": "1"}, details=reasons)
        case AllModelsFailed():
            status, code = (504, "upstream_timeout") if error.timed_out else (502, "upstream_failed")
            http = HttpError(status, str(error), code, headers={"x-tiercel-decision-id": error.decision.id})
        case _:
            http = _by_kind(error)
    return http


def _by_kind(error: Exception) -> HttpError | None:
    for kind, status, code, retry_after_s in _MEANINGS:
        if isinstance(error, kind):
            message = next((text for store_kind, text in _STORE_TEXTS if isinstance(error, store_kind)), str(error))
            return HttpError(status, message, code, headers={"retry-after": retry_after_s} if retry_after_s else {})
    return None


def invalid(problems: Sequence[Problem]) -> HttpError:
    """422 with every problem (of very many the first), or 413 where a limit on size is exceeded."""
    status = 413 if any(problem.kind == "limit" for problem in problems) else 422
    named = problems[:_TOLD]
    more = f"; and {len(problems) - len(named)} more" if len(problems) > len(named) else ""
    message = str(InvalidInput(named)) + more
    param = problems[0].path or None if problems else None
    return HttpError(status, message, "invalid_request", param=param, details=problems[:_DETAILED])
