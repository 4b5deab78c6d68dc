"""The process: a socket, uvicorn on it, and what it takes of connections that say nothing."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import resource
import socket
from typing import Callable

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import InputError
from .limits import HEAD_SECONDS

_KEEP_ALIVE_SECONDS = 10
_GRACE_SECONDS = 10  # for what is being answered when the process is told to end
_BACKLOG = 1024
_OWN_FILES = 256  # that are open besides connections


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises InputError if the port is in use or the address is not one of this machine."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Of connections, which inherit it: head and body leave apart, and the second would wait 40 ms for the first's
        # acknowledgement. asyncio sets it for sockets that name their protocol, as this one does not.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError) as error:
        known = isinstance(error, OSError) and not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno) if known and error.errno else getattr(error, "strerror", None) or error
        raise InputError(
            f"--host {host} --port {port}: cannot be listened on: {reason}; choose another with --port, 0 for any free one"
        ) from None


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(app: FastAPI, listening: socket.socket, connections: int, started: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C, and let what is being answered end.

    Args:
        connections: that are open at once; more are told to come back. As many as the system lets this process have.
        started: called when requests are answered.
    """
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OWN_FILES
    if limits[0] < wanted:  # 1,024 by default, which as many idle connections would use up
        most = wanted if limits[1] == resource.RLIM_INFINITY else min(wanted, limits[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, limits[1]))
        connections = most - _OWN_FILES
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of each form that is malformed
    try:
        make_server(app, connections, started).run([listening])
    except KeyboardInterrupt:  # uvicorn raises the signal anew after it has ended
        pass


def make_server(app: FastAPI, connections: int, started: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """Return uvicorn's server of an application, with bounds that it lacks; arguments as of :func:`serve`."""
    config = uvicorn.Config(
        app,
        http=_protocol(connections),
        loop="asyncio",
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return _Server(config, app, started)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: FastAPI, started: Callable[[], None]):
        super().__init__(config)
        self._app, self._begin = app, started

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self._begin()

    async def shutdown(self, sockets=None) -> None:
        self._app.state.service.stopping = True
        await super().shutdown(sockets)


def _protocol(most: int) -> type[H11Protocol]:
    """Return uvicorn's protocol with bounds that it lacks: ``most`` connections, and time for the head of a request."""

    class Protocol(H11Protocol):
        _deadline = None

        def connection_made(self, transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                self._refuse(503, f"{most:,} connections are open already; come back in a second", "Retry-After: 1\r\n")
            else:
                self._await_head()

        def connection_lost(self, exc) -> None:
            self._cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:  # the head is here
                self._cancel()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
                self._await_head()

        def send_400_response(self, msg: str) -> None:
            self._refuse(400, "this is no HTTP request; GET /openapi.json describes what can be asked")

        def _await_head(self) -> None:
            self._cancel()
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

        def _cancel(self) -> None:
            if self._deadline:
                self._deadline.cancel()
                self._deadline = None

        def _refuse(self, status: int, sentence: str, header: str = "") -> None:
            body = json.dumps({"error": sentence})
            reason = {400: "Bad Request", 503: "Service Unavailable"}[status]
            self.transport.write(
                f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n{header}"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
            )
            self.transport.close()

    return Protocol
