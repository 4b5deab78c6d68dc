"""Processes that watch each other: when one of them ends, all end within seconds, with its message.

Collectives alone do not: a GPU waits for ever for what a dead process does not send. Each process therefore keeps a
connection to the first one, which the system closes however a process ends, and says there why it goes.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import time
from contextlib import suppress

from ..errors import InputError, in_one_line
from ..terminal import printable

_GRACE = {"failed": 1.0, "stopped": 15.0}  # seconds in which a process may end by itself, for the same reason
_PATIENCE = 120.0  # seconds in which all processes must come
_BLAME = 10.0  # seconds in which it must be known who died, once a collective fails


class Companions:
    """The connections of one process to the others: of the first to each, of each to the first."""

    def __init__(self, rank: int, size: int, host: str, port: int):
        """Connect all processes, through a port of the first one that is free again when this returns.

        Raises InputError if they are not there within two minutes. (Paddle would wait longer, and deaf to signals.)
        """
        self.rank, self._leaving, self._arrived = rank, False, queue.Queue()
        try:
            self._others = {0: _connect(host, port, rank)} if rank else _accept(port, size)
        except (OSError, ValueError) as error:
            where = f"rank {rank} of {size} does not find the others at {host}:{port} within {_PATIENCE:g} seconds"
            way = "see that all processes run and that no firewall is between them"
            raise InputError(f"{where} ({in_one_line(error)}); {way}") from None
        for other, connection in self._others.items():
            connection.settimeout(None)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # tells of a machine that went
            threading.Thread(target=self._listen, args=(other, connection), daemon=True).start()

    def meet(self) -> None:
        """Return when all processes have called this, however long that takes."""
        if self.rank:
            self._send(0, "here")
            self._arrived.get()
            return
        for _ in self._others:
            self._arrived.get()
        self._tell("here")

    def leave(self, error: BaseException | None) -> None:
        """Tell the others that this process goes, and why; after a failed collective wait until its cause is known."""
        if error is None:
            self.meet()
            self._leaving = True
            self._tell("done")
            return
        if not isinstance(error, (InputError, KeyboardInterrupt)):
            time.sleep(0.5 if self.rank else _BLAME * isinstance(error, RuntimeError))
        self._leaving = True
        stopped = isinstance(error, KeyboardInterrupt)
        why = "was stopped" if stopped else in_one_line(error)
        self._tell(f"{'stopped' if stopped else 'failed'} rank {self.rank}: {why}")

    def _tell(self, line: str) -> None:
        for other in self._others:
            self._send(other, line)

    def _send(self, other: int, line: str) -> None:
        with suppress(OSError):  # it is gone, which its listener sees
            self._others[other].sendall(f"{line}\n".encode())

    def _listen(self, other: int, connection: socket.socket) -> None:
        while True:
            said, _, message = _line(connection).partition(" ")
            if said == "here":
                self._arrived.put(other)
            elif said == "done":
                return
            else:
                died = f"rank {other}: ended without a message; its log or the system's may say why"
                return self._end(said if said in _GRACE else "failed", message or died)

    def _end(self, how: str, message: str) -> None:
        """End this process, unless it does so itself, and let the others know."""
        if not self.rank:
            self._tell(f"{how} {message}")
        time.sleep(_GRACE[how])
        if self._leaving:
            return
        if not self.rank:
            print(printable(f"error: {message}"), file=sys.stderr, flush=True)
        os._exit(2)  # the main thread may wait for ever, outside of Python


def _accept(port: int, size: int) -> dict[int, socket.socket]:
    """Return the connections of the other processes to this first one, by their ranks."""
    until = time.monotonic() + _PATIENCE
    with socket.create_server(("", port)) as server:
        connections = []
        while len(connections) < size - 1:
            server.settimeout(max(0.01, until - time.monotonic()))
            connections.append(server.accept()[0])
    return {int(_line(connection)): connection for connection in connections}


def _connect(host: str, port: int, rank: int) -> socket.socket:
    """Return this process's connection to the first one, as soon as that listens."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=_PATIENCE)
            connection.sendall(f"{rank}\n".encode())
            return connection
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _line(connection: socket.socket) -> str:
    """Read a line; "" if the other side is gone."""
    text = b""
    with suppress(OSError):
        while not text.endswith(b"\n"):
            byte = connection.recv(1)
            if not byte:
                break
            text += byte
    return text.decode("utf-8", "replace").strip()
