"""What every request passes: names of this host, sizes, time, and the headers of every answer."""

from __future__ import annotations

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .limits import BODY_SECONDS, PHOTO_BYTES, SMALL_BODY, Load
from .metrics import Metrics
from .refusal import Refusal, busy

PHOTO_PATH = "/search/image"
_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_HEADER_LINES = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]


class Guard:
    """ASGI middleware.

    Args:
        hosts: names that a request may be for, without port; None: any. On this machine alone they are few, or a page
            of another site could ask us by a name of its own that leads here (DNS rebinding).
        load: how many photos may arrive at once.
        seconds: for a body to arrive.
    """

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str] | None, load: Load, metrics: Metrics, seconds: float = BODY_SECONDS
    ):
        self._app, self._hosts, self._load, self._metrics, self._seconds = app, hosts, load, metrics, seconds
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status = 500  # where the application fails before it answers

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *_HEADER_LINES]}
            await send(message)

        scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope  # the server leaves the body out
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._pass(scope, receive, answer)
            finally:
                route = getattr(scope.get("route"), "path", "other")  # not the path: there are endlessly many
                self._metrics.requests.labels(route, str(status)).inc()
                if status == 503:
                    self._metrics.refused.inc()

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        room = SMALL_BODY + (PHOTO_BYTES if scope["path"] == PHOTO_PATH else 0)
        length = int(headers.get(b"content-length", b"0"))
        upload = room > SMALL_BODY and (length > SMALL_BODY or b"transfer-encoding" in headers)
        try:
            self._check_host(headers.get(b"host", b"").decode("latin-1"))
            if length > room:
                raise _too_large(room)
            if upload and self._uploads >= self._load.uploads:
                raise busy()
        except Refusal as refusal:
            return await refusal.response(scope, receive, send)
        self._uploads += upload
        try:
            await self._app(scope, self._bounded(receive, room), send)
        finally:
            self._uploads -= upload

    def _check_host(self, host: str) -> None:
        name = host.lower()
        name = name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0]
        if self._hosts is not None and name not in self._hosts:
            named = " or ".join(sorted(self._hosts))
            raise Refusal(400, f"this service is called {named}; use that name, or start it with --allow-host")

    def _bounded(self, receive: Receive, room: int) -> Receive:
        """Return a receive() that refuses a body that is too large, or too slow, while it arrives."""
        left, end, whole = room, time.monotonic() + self._seconds, False

        async def bounded() -> Message:
            nonlocal left, whole
            if whole:  # now one waits for whoever asked to go
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, end - time.monotonic()))
            except asyncio.TimeoutError:
                raise Refusal(
                    408, f"the request did not arrive within {self._seconds:g} seconds; send it again"
                ) from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise _too_large(room)
            whole = not message.get("more_body", False)
            return message

        return bounded


def _too_large(room: int) -> Refusal:
    return Refusal(413, f"a request may have {room:,} bytes here; send a smaller one")
