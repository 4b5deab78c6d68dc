"""The process and its connections: SIGTERM, a port in use, those that say nothing, too many, or no HTTP."""

import json
import resource
import runpy
import signal
import socket
import threading
import time
import urllib.request

import pytest

from inflate_shrink import cli
from inflate_shrink.serve import server as serving
from inflate_shrink.serve.app import build_app
from tool_process import TOOLS


@pytest.fixture
def connect(collection, monkeypatch):
    """A function that opens a connection to a server in a thread, which takes three and gives a head 0.3 seconds."""
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    listening, opened = serving.open_socket("127.0.0.1", 0), []
    started = threading.Event()
    server = serving.make_server(build_app(collection), 3, started.set)
    thread = threading.Thread(target=server.run, args=([listening],))
    address = listening.getsockname()
    thread.start()
    assert started.wait(30)

    def connect():
        opened.append(socket.create_connection(address, timeout=10))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
    server.should_exit = True
    thread.join()


def until_closed(connection):
    received = b""
    while data := connection.recv(1 << 16):
        received += data
    return received


def test_a_head_that_does_not_arrive_is_given_up(connect):
    silent, slow = connect(), connect()
    begin = time.monotonic()
    for byte in b"GET /health":
        slow.send(bytes([byte]))
        time.sleep(0.01)
    assert until_closed(silent) == until_closed(slow) == b""
    assert time.monotonic() - begin < 5
    kept = connect()  # and one that has been answered and then says nothing
    kept.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b'"status":"ok"' in until_closed(kept)


def test_no_http_and_one_connection_too_many(connect):
    first = connect()
    first.send(b"\x16\x03\x01 no HTTP\r\n\r\n")
    head, _, body = until_closed(first).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") and json.loads(body)["error"].startswith("this is no HTTP request")
    held = [connect() for _ in range(3)]
    time.sleep(0.05)
    head, _, body = until_closed(connect()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1" in head
    assert json.loads(body) == {"error": "3 connections are open already; come back in a second"}
    held[0].send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b'"status":"ok"' in until_closed(held[0])  # those that are there are served


def test_the_tool_serves_through_a_thousand_connections_and_ends_when_told(start_tool, indexes):
    """One process: it takes a second to start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1500 if hard == resource.RLIM_INFINITY else min(1500, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    process = start_tool("serve", "--index", *indexes, "--port", 0, "--threads", 1)
    try:
        line = process.stdout.readline()
        assert line.endswith(f" serves 92 items of {indexes[0]}, {indexes[1]}; Ctrl-C ends it\n")
        url = line.split()[0]
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        idle = [socket.create_connection(address, timeout=10) for _ in range(most - 500)]
        query = json.dumps({"query": "a red ball", "k": 2}).encode()
        request = urllib.request.Request(f"{url}/search", query, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert len(json.load(answer)["hits"]) == 2
        # One whose body is still to come is waited for.
        late = socket.create_connection(address, timeout=10)
        late.send(
            b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(query)
        )
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        late.send(query)
        assert b'"hits":[' in until_closed(late)
        stdout, stderr = process.communicate(timeout=30)
        assert (process.returncode, stdout, stderr) == (0, "ended\n", "")
        assert all(until_closed(connection) == b"" for connection in idle)
        for connection in (*idle, late):
            connection.close()
    finally:
        process.send_signal(signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def tool(capsys):
    main = runpy.run_path(str(TOOLS / "serve.py"), run_name="serve")["main"]

    def tool(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.run_tool(main, list(map(str, arguments)))
        return end.value.code, capsys.readouterr().err

    return tool


def test_a_port_in_use_is_one_line(tool, indexes):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = tool("--index", indexes[0], "--port", port)
    assert code == 2
    assert said == (
        f"error: --host 127.0.0.1 --port {port}: cannot be listened on: Address already in use; "
        "choose another with --port, 0 for any free one\n"
    )


def test_what_cannot_be_served_is_one_line(tool, indexes, tmp_path):
    for arguments, said in [
        (["--index", tmp_path, "--port", 0], "manifest.json is missing"),
        (["--index", indexes[0], "--port", 70000], "--port 70000: cannot be listened on"),
        (["--index", indexes[0], "--host", "192.0.2.1", "--port", 0], "Cannot assign requested address"),
        (["--index", indexes[0], "--concurrent", 0], "--concurrent takes 1 or more"),
    ]:
        code, line = tool(*arguments)
        assert code == 2 and said in line and line.count("\n") == 1


def test_no_answer_waits_for_an_acknowledgement():
    """40 ms each, else."""
    with serving.open_socket("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_hosts_of_this_machine():
    assert all(map(serving.is_loopback, ["127.0.0.1", "127.1.2.3", "::1", "localhost"]))
    assert not any(map(serving.is_loopback, ["0.0.0.0", "::", "192.168.0.1", "example.org"]))
