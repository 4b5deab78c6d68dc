"""The search service under load: clients on loopback, every answer compared with what the index's searcher says."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Callable, NamedTuple, Sequence
from urllib.parse import quote, urlencode

import numpy as np

from inflate_shrink.errors import InputError
from inflate_shrink.serve.collection import Collection, Way, open_collection
from inflate_shrink.serve.matches import can_match, match
from inflate_shrink.serve.pictures import Pictures

from .environment import describe_environment, environment, new_process
from .table import Row, format_section

_TIMEOUT = 60  # seconds after which an answer is lost
_SCORE = 1e-4  # by which a score may differ: texts are encoded one by one, and so are these
_MIX = {"search": 60, "picture": 25, "like": 5, "match": 5, "about": 5}  # in 100 requests
_WORDS = (3, 9)
_HEAD = re.compile(rb"HTTP/1\.1 (\d+).*?\r\ncontent-length: (\d+)", re.I | re.S)
_RETRY = re.compile(rb"\r\nretry-after: (\d+)", re.I)


@dataclass(frozen=True)
class ServingBenchmark:
    """clients: ask at once, each one request after another; seconds: of the load; think: seconds that a client waits
    between an answer and its next request, on average; queries: different ones; k: hits of each."""

    clients: int = 200
    seconds: float = 60.0
    think: float = 0.0
    queries: int = 200
    k: int = 24
    concurrent: int = 8
    waiting: int = 256
    threads: int = 0
    seed: int = 0


class Asked(NamedTuple):
    """A request, and whether the body of an answer to it is right. request: as it is sent."""

    kind: str
    request: bytes
    is_right: Callable[[bytes], bool]


def measure_serving(indexes: Sequence[str], amount: ServingBenchmark, show: Callable[[str], None]) -> dict:
    """Serve indexes in a process of its own and ask it; returns what ``--json`` writes.

    Raises:
        InputError: an index cannot be served, or holds captions first.
    """
    found = environment("fastapi", "uvicorn", "onnxruntime")
    show(describe_environment(found))
    collection = open_collection(indexes, threads=amount.threads)
    asked = draw_requests(collection, amount)
    with _served(indexes, amount) as (address, process):
        tally = asyncio.run(Load(address, asked, amount).run())
        left = asyncio.run(_ask(address, _get("/metrics")))[2].decode()
        process.terminate()
        ended = process.wait(30)
    memory = re.search(r"^process_resident_memory_bytes (\S+)", left, re.M)
    result = {
        "environment": found,
        "indexes": list(map(str, indexes)),
        "items": collection.items,
        "settings": asdict(amount),
        **tally.result(),
        "memory_mib": float(memory[1]) / 2**20 if memory else 0.0,
        "exit_code": ended,
    }
    show(serving_section(result))
    return result


def serving_section(result: dict) -> str:
    """Return what a load showed, as text."""
    settings = result["settings"]
    title = (
        f"{settings['clients']} clients for {settings['seconds']:g} s, "
        f"{settings['think']:g} s between requests, {result['items']:,} items"
    )
    rows = [Row("requests answered", result["answered"], f"{result['answered'] / result['seconds']:.0f} a second")]
    for kind, times in result["kinds"].items():
        rows += [
            Row(f"{kind}: answered", times["answered"], f"{times['answered'] / result['seconds']:.1f} a second"),
            Row(f"{kind}: p50", times["p50_ms"], "ms"),
            Row(f"{kind}: p99", times["p99_ms"], "ms"),
        ]
    rows += [
        Row("refused for lack of room, and asked again", result["refused"], ""),
        Row("lost", result["lost"], ", ".join(result["why_lost"])),
        Row("wrong", result["wrong"], ""),
        Row("memory of the service", result["memory_mib"], "MiB"),
    ]
    return format_section(title, rows)


def draw_requests(collection: Collection, amount: ServingBenchmark) -> list[Asked]:
    """Return requests in the proportions of a person's visit, with the answers that the searchers give directly.

    Queries are words drawn from the vocabulary. Raises InputError if the first way holds captions.
    """
    random, ways = np.random.default_rng(amount.seed), [way for way in collection.ways.values() if _has_texts(way)]
    if not ways:
        raise InputError("the indexes hold captions alone; give one of images, which texts search")
    pieces = ways[0].index.searcher.tokenizer.pieces
    words = [piece for piece in pieces if piece.isalpha()] or pieces[5:]
    queries = [" ".join(random.choice(words, random.integers(*_WORDS))) for _ in range(amount.queries)]
    by_kind: dict[str, list[Asked]] = {kind: [] for kind in _MIX}
    pictures = Pictures()
    for number, query in enumerate(queries):
        way = ways[number % len(ways)]
        hits = way.index.searcher.search(query, amount.k + 1, way.mode)[: amount.k]
        body = json.dumps({"query": query, "way": way.key, "k": amount.k}).encode()
        by_kind["search"].append(Asked("search", _post("/search", body, "application/json"), _has_hits(hits)))
        item = hits[number % len(hits)].id
        by_kind["picture"].append(_picture(pictures, way, item))
        like = urlencode({"like": item, "way": way.key, "k": amount.k}).encode()
        alike = way.index.searcher.search_like(item, amount.k + 1, way.mode)[: amount.k]
        form = "application/x-www-form-urlencoded"
        by_kind["like"].append(Asked("like", _post("/search/image", like, form), _has_hits(alike)))
        if can_match(way.index):
            score = match(way.index, item, query)["score"]
            path = f"/match/{quote(item)}?{urlencode({'query': query, 'way': way.key})}"
            by_kind["match"].append(Asked("match", _get(path), _has_score(score)))
    by_kind["about"].append(Asked("about", _get("/about"), lambda body: len(json.loads(body)["ways"]) > 0))
    return [
        by_kind[kind][number % len(by_kind[kind])]
        for kind, share in _MIX.items()
        if by_kind[kind]
        for number in range(share * amount.queries // 100 or 1)
    ]


class Tally:
    """What came of the requests: milliseconds of each kind, and how many were refused, lost and wrong."""

    def __init__(self):
        self.times: dict[str, list[float]] = {kind: [] for kind in _MIX}
        self.refused, self.wrong, self.lost, self.seconds = 0, 0, Counter(), 0.0

    def result(self) -> dict:
        """Return all that in numbers; the counters are written by name."""
        kinds = {
            kind: {
                "answered": len(times),
                "p50_ms": float(np.percentile(times, 50)),
                "p99_ms": float(np.percentile(times, 99)),
                "most_ms": max(times),
            }
            for kind, times in self.times.items()
            if times
        }
        counted = {"refused": self.refused, "lost": sum(self.lost.values()), "wrong": self.wrong}
        answered = sum(map(len, self.times.values()))
        return {"answered": answered, "seconds": self.seconds, "kinds": kinds, **counted, "why_lost": dict(self.lost)}


class Load:
    """Clients that ask for some seconds; a request that is refused with 503 is asked again when it says."""

    def __init__(self, address: tuple[str, int], asked: Sequence[Asked], amount: ServingBenchmark):
        self._address, self._asked, self._amount, self._tally = address, asked, amount, Tally()

    async def run(self) -> Tally:
        """Ask until the time is over and all answers are there."""
        begin = time.perf_counter()
        self._end = begin + self._amount.seconds
        await asyncio.gather(*map(self._client, range(self._amount.clients)))
        self._tally.seconds = time.perf_counter() - begin
        return self._tally

    async def _client(self, number: int) -> None:
        random = np.random.default_rng([self._amount.seed, number])
        connection = None
        await asyncio.sleep(self._amount.think * random.random())  # not all at once
        while time.perf_counter() < self._end:
            asked = self._asked[random.integers(len(self._asked))]
            begin = time.perf_counter()
            try:
                if connection is None or connection[0].at_eof():  # closed, since it was idle for long
                    connection = await asyncio.open_connection(*self._address)
                status, wait, body = await asyncio.wait_for(_exchange(*connection, asked.request), _TIMEOUT)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
                self._tally.lost[type(error).__name__] += 1
                connection = None
                continue
            if status == 503:
                self._tally.refused += 1
                await asyncio.sleep(wait)
                continue
            self._count(asked, status, body, 1e3 * (time.perf_counter() - begin))
            pause = random.exponential(self._amount.think) if self._amount.think else 0.0
            await asyncio.sleep(max(0.0, min(pause, self._end - time.perf_counter())))
        if connection:
            connection[1].close()

    def _count(self, asked: Asked, status: int, body: bytes, milliseconds: float) -> None:
        if status != 200:
            self._tally.lost[f"status {status}"] += 1
        elif not asked.is_right(body):
            self._tally.wrong += 1
        else:
            self._tally.times[asked.kind].append(milliseconds)


class _served:
    """A context: the service in a process of its own; its address and the process."""

    def __init__(self, indexes: Sequence[str], amount: ServingBenchmark):
        options = {"port": 0, "concurrent": amount.concurrent, "waiting": amount.waiting, "threads": amount.threads}
        named = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self._arguments = ["--index", *map(str, indexes), *named]

    def __enter__(self) -> tuple[tuple[str, int], subprocess.Popen]:
        started = {**new_process(), "cwd": None}  # indexes are named from here
        command = [sys.executable, "-m", "inflate_shrink.commands.serve", *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **started)
        line = self._process.stdout.readline()
        found = re.match(r"http://(.+):(\d+) ", line)
        if not found:
            raise InputError(f"{' '.join(self._arguments)}: cannot be served; tools/serve.py says why")
        return (found[1], int(found[2])), self._process

    def __exit__(self, *error) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


async def _ask(address: tuple[str, int], request: bytes) -> tuple[int, float, bytes]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        return await _exchange(reader, writer, request)
    finally:
        writer.close()


async def _exchange(reader, writer, request: bytes) -> tuple[int, float, bytes]:
    """Send a request: status, seconds to wait where it is refused, body. Leaner than an HTTP library, which would take
    as much of the processor as the service."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    found, wait = _HEAD.match(head), _RETRY.search(head)
    if not found:
        raise ValueError("no HTTP")
    return int(found[1]), float(wait[1]) if wait else 0.0, await reader.readexactly(int(found[2]))


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _post(path: str, body: bytes, media_type: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _has_texts(way: Way) -> bool:
    return way.index.holds == "images"


def _picture(pictures: Pictures, way: Way, item: str) -> Asked:
    data = pictures.picture(way.index, item, "small").data
    path = f"/images/{quote(item)}?{urlencode({'way': way.key, 'size': 'small'})}"
    return Asked("picture", _get(path), data.__eq__)


def _has_hits(expected) -> Callable[[bytes], bool]:
    ids, scores = [hit.id for hit in expected], np.array([hit.score for hit in expected])

    def is_right(body: bytes) -> bool:
        hits = json.loads(body)["hits"]
        return [hit["id"] for hit in hits] == ids and np.allclose([hit["score"] for hit in hits], scores, atol=_SCORE)

    return is_right


def _has_score(expected: float) -> Callable[[bytes], bool]:
    return lambda body: abs(json.loads(body)["score"] - expected) <= _SCORE
