"""What a request is refused with: always JSON, one sentence that says what was wrong and what to do."""

from __future__ import annotations

import re

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..errors import InputError
from ..terminal import printable
from .limits import QUERY_CHARACTERS

_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/:;,'\"]+/)+")  # all of an absolute path but its last part
_SENTENCES = {
    404: "there is nothing here; GET /openapi.json lists what there is",
    405: "this is not done here; GET /openapi.json lists what is",
}


class Refusal(HTTPException):
    """A request is not answered.

    Args:
        status: of HTTP.
        sentence: for whoever asked; names no folder of this machine. What could not be written is escaped.
        retry_after: seconds after which it may be asked again, where that helps.
    """

    def __init__(self, status: int, sentence: str, retry_after: int | None = None):
        super().__init__(status, printable(sentence), {"Retry-After": str(retry_after)} if retry_after else None)

    @property
    def response(self) -> JSONResponse:
        """Return what is sent."""
        return JSONResponse({"error": self.detail}, self.status_code, self.headers)


def busy() -> Refusal:
    """Return the refusal of one request too many."""
    return Refusal(503, "so many searches are under way that this one is not begun; ask again in a second", 1)


def of_input_error(error: InputError) -> Refusal:
    """Return the refusal that an InputError means, without the folders that it names."""
    return Refusal(422, _FOLDERS.sub("", str(error)))


def of_http_error(error: HTTPException) -> Refusal:
    """Return the refusal that an error of the framework means."""
    if isinstance(error, Refusal):
        return error
    refusal = Refusal(error.status_code, _SENTENCES.get(error.status_code, f"{error.detail}".rstrip(".") + "."))
    refusal.headers = error.headers  # the methods that are allowed
    return refusal


def of_validation(error: RequestValidationError) -> Refusal:
    """Return the refusal of a request that is not as the description says: what is wrong first."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, (str, int))) or "the request"
    name = name.encode("ascii", "backslashreplace").decode()[:100]
    if first["type"] == "string_too_long" and first["loc"][-1] == "query":
        return Refusal(422, f"query: more than the limit of {QUERY_CHARACTERS:,} characters; shorten it")
    if first["type"] == "json_invalid":
        return Refusal(422, "the body is no JSON; send what GET /openapi.json describes")
    said = first["msg"].encode("ascii", "backslashreplace").decode()
    said = said[:1].lower() + said[1:]
    return Refusal(422, f"{name}: {said}; GET /openapi.json describes what is expected")
