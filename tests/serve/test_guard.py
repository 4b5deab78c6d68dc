"""What every request passes: names of the host, sizes while they arrive, slow bodies, headers; and how much at once."""

import asyncio
import threading

import pytest
from starlette.testclient import TestClient

from inflate_shrink.errors import InputError
from inflate_shrink.serve.app import build_app
from inflate_shrink.serve.gate import Gate
from inflate_shrink.serve.guard import Guard
from inflate_shrink.serve.limits import PHOTO_BYTES, SMALL_BODY, Load
from inflate_shrink.serve.metrics import Metrics
from inflate_shrink.serve.refusal import Refusal, of_input_error

HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


@pytest.fixture
def asked(collection):
    """A function: the host's names and loads -> what asks a service, of a host."""

    def make(hosts=HOSTS, load=Load(), host="localhost"):
        app = build_app(collection, hosts=hosts, load=load)
        return TestClient(app, base_url=f"http://{host}", raise_server_exceptions=False)

    return make


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_host(asked, host):
    assert asked().get("/health", headers={"host": host}).json() == {"status": "ok", "items": 92, "indexes": 2}


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:8000", "[::1"])
def test_another_name_may_be_a_page_of_another_site(asked, host):
    answer = asked().get("/health", headers={"host": host})
    assert answer.status_code == 400 and answer.json()["error"].startswith("this service is called 127.0.0.1 or")
    assert asked(hosts=None).get("/health", headers={"host": host}).status_code == 200


def test_every_answer_says_what_a_browser_may_do(asked):
    for answer in (asked().get("/"), asked().get("/nothing"), asked().get("/", headers={"host": "evil.example"})):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; img-src 'self' blob:;") and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_body_that_says_it_is_too_large_is_not_read(asked):
    client = asked()
    answer = client.post("/search", content=b"", headers={"content-length": str(SMALL_BODY + 1)})
    assert answer.status_code == 413
    assert answer.json() == {"error": "a request may have 65,536 bytes here; send a smaller one"}
    assert client.post("/search", content=b"x" * 70_000).status_code == 413
    answer = client.post("/search/image", content=b"", headers={"content-length": str(PHOTO_BYTES + SMALL_BODY + 1)})
    assert answer.status_code == 413


def ask_slowly(messages, path="/search", seconds=0.05, headers=()):
    """Ask a Guard before an application that reads the body: what is sent. messages: bodies, or None for one that does not come."""
    sent, left = [], list(messages)

    async def application(scope, receive, send):
        try:
            while (await receive()).get("more_body"):
                pass
            status = 200
        except Refusal as refusal:
            return await refusal.response(scope, receive, send)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        body = left.pop(0)
        if body is None:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(message):
        sent.append(message)

    guard = Guard(application, None, Load(), Metrics(), seconds)
    scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers)}
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_a_body_without_a_length_is_refused_while_it_arrives():
    """It would never end."""
    status, body = ask_slowly([b"x" * 40_000] * 1000, seconds=60)
    assert status == 413 and b"65,536 bytes" in body


def test_a_body_that_does_not_arrive_is_given_up():
    status, body = ask_slowly([b"x", None])
    assert (status, body) == (408, b'{"error":"the request did not arrive within 0.05 seconds; send it again"}')


def test_too_many_photos_at_once(asked):
    client = asked(load=Load(uploads=0))
    answer = client.post("/search/image", files={"photo": b"x" * (SMALL_BODY + 1)})
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
    assert client.post("/search/image", content=iter([b"no length"])).status_code == 503
    assert client.post("/search/image", data={"like": "val-00001"}).status_code == 200  # is none


class Here:
    """A request whose sender waits, or has gone."""

    def __init__(self, gone=False):
        self.gone = gone

    async def is_disconnected(self):
        return self.gone


def test_a_gate_lets_so_many_run_and_so_many_wait():
    begun, end, order = threading.Semaphore(0), threading.Event(), []

    def work(number):
        begun.release()
        order.append(number)
        end.wait(10)
        return number

    async def main():
        gate = Gate("test", 2, Load(waiting=1, seconds=10))
        running = [asyncio.create_task(gate.run(Here(), work, number)) for number in range(2)]
        await asyncio.to_thread(lambda: [begun.acquire(timeout=10) for _ in range(2)])
        waits = asyncio.create_task(gate.run(Here(), work, 2))
        await asyncio.sleep(0.01)
        assert (gate.running, gate.waiting) == (2, 1)
        with pytest.raises(Refusal, match="so many searches") as refused:
            await gate.run(Here(), work, 3)
        assert refused.value.status_code == 503 and refused.value.headers == {"Retry-After": "1"}
        end.set()
        assert await asyncio.gather(*running, waits) == [0, 1, 2]
        await asyncio.sleep(0.01)
        assert (gate.running, gate.waiting) == (0, 0)

    asyncio.run(main())
    assert sorted(order) == [0, 1, 2]


def test_a_gate_forgets_who_has_gone_or_waits_too_long():
    end = threading.Event()

    async def main():
        gate = Gate("test", 1, Load(waiting=5, seconds=0.02))
        holds = asyncio.create_task(gate.run(Here(), end.wait, 10))
        await asyncio.sleep(0.01)
        with pytest.raises(Refusal) as refused:
            await gate.run(Here(), print)
        assert refused.value.status_code == 503
        holds.cancel()  # its thread goes on, so its place is not free yet
        with pytest.raises(Refusal):
            await gate.run(Here(), print)
        end.set()
        await asyncio.sleep(0.01)
        with pytest.raises(Refusal, match="has gone"):
            await gate.run(Here(gone=True), pytest.fail)
        assert await gate.run(Here(), int, "7") == 7

    asyncio.run(main())


def test_a_fault_is_one_sentence(asked, collection, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("secret")

    monkeypatch.setattr("inflate_shrink.serve.app.by_text", fail)
    answer = asked().post("/search", json={"query": "a"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "a fault of the service, which its log tells of; report it"}


def test_what_cannot_be_written_is_escaped():
    """As a file's name may hold that is not UTF-8."""
    assert Refusal(404, "no photo \udcff\n").response.body == rb'{"error":"no photo \\udcff\\n"}'


def test_folders_of_the_machine_stay_unsaid():
    error = InputError(
        "/home/me/indexes/demo: photos of '/srv/a b/net.onnx', see http://localhost/docs/serve.md; 1/2 done"
    )
    assert (
        of_input_error(error).detail == "demo: photos of 'a b/net.onnx', see http://localhost/docs/serve.md; 1/2 done"
    )
