"""How much the service takes of one request, and how much at once."""

from __future__ import annotations

from dataclasses import dataclass

QUERY_CHARACTERS = 1000
CONTAINS_CHARACTERS = 200
ID_CHARACTERS = 4096
MOST_K = 100
MOST_OFFSET = 10_000
MOST_CANDIDATES = 1_000_000
PHOTO_BYTES = 20 << 20
SMALL_BODY = 1 << 16  # bytes of a request without a photo, and around one
HEAD_SECONDS = 10  # for the head of a request to arrive
BODY_SECONDS = 30  # for its body


@dataclass(frozen=True)
class Load:
    """What is done at once.

    concurrent: searches, each of which may use all cores; waiting: requests that wait for one to end, further ones are
    refused; seconds: that one waits before it is refused; uploads: photos that arrive; connections: that are open.
    """

    concurrent: int = 8
    waiting: int = 256
    seconds: float = 10.0
    uploads: int = 16
    connections: int = 2000
