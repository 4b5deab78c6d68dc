"""tools/benchmark.py serve: every answer is compared, and what is refused, lost or wrong is counted."""

import asyncio
import threading

import pytest

from benchmark.serving import Asked, Load, ServingBenchmark, Tally, draw_requests, serving_section
from inflate_shrink.serve.app import build_app
from inflate_shrink.serve.server import make_server, open_socket

AMOUNT = ServingBenchmark(clients=4, seconds=0.3, queries=20, k=5)


def test_the_service_answers_as_its_searchers(collection):
    asked = draw_requests(collection, AMOUNT)
    kinds = [request.kind for request in asked]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "search": 12,
        "picture": 5,
        "like": 1,
        "match": 1,
        "about": 1,
    }
    listening, started = open_socket("127.0.0.1", 0), threading.Event()
    server = make_server(build_app(collection), 100, started.set)
    thread = threading.Thread(target=server.run, args=([listening],))
    address = listening.getsockname()
    thread.start()
    try:
        assert started.wait(30)
        result = asyncio.run(Load(address, asked, AMOUNT).run()).result()
    finally:
        server.should_exit = True
        thread.join()
    assert (result["refused"], result["lost"], result["wrong"]) == (0, 0, 0)
    assert result["answered"] == sum(kind["answered"] for kind in result["kinds"].values()) > 10
    text = serving_section({**result, "settings": vars(AMOUNT), "items": 92, "memory_mib": 100.0})
    assert text.startswith("4 clients for 0.3 s, 0 s between requests, 92 items\n") and "search: p99" in text


def test_what_is_refused_lost_and_wrong_is_counted():
    """A server that answers well, refuses, answers wrong, fails and hangs up, in turn."""
    answers = ["200 OK\r\n|right", "503 Busy\r\nRetry-After: 0\r\n|", "200 OK\r\n|wrong", "500 Fault\r\n|right", None]
    given = []

    async def serve(reader, writer):
        while await reader.readuntil(b"\r\n\r\n"):
            answer = answers[len(given) % len(answers)]
            given.append(answer)
            if answer is None:
                break
            head, _, body = answer.partition("|")
            writer.write(f"HTTP/1.1 {head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        asked = [Asked("search", b"GET / HTTP/1.1\r\n\r\n", b"right".__eq__)]
        amount = ServingBenchmark(clients=1, seconds=0.05)
        return await Load(server.sockets[0].getsockname(), asked, amount).run()

    tally = asyncio.run(main())
    counted = [given.count(answer) for answer in answers]
    assert min(counted) > 0
    assert [len(tally.times["search"]), tally.refused, tally.wrong] == counted[:3]
    assert dict(tally.lost) == {"status 500": counted[3], "IncompleteReadError": counted[4]}


def test_percentiles_of_each_kind():
    tally = Tally()
    tally.times["search"], tally.seconds = [float(number) for number in range(101)], 2.0
    result = tally.result()
    assert result["kinds"] == {
        "search": {"answered": 101, "p50_ms": 50.0, "p99_ms": pytest.approx(99.0), "most_ms": 100.0}
    }
    assert (result["answered"], result["seconds"], result["why_lost"]) == (101, 2.0, {})
