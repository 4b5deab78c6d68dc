"""What comes from files and users shows on a terminal, and commands nothing."""

import io
from types import SimpleNamespace

import pytest

from inflate_shrink import cli
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.engine.progress import Progress
from inflate_shrink.errors import InputError
from inflate_shrink.terminal import printable, say

CLEAR = "\x1b[2J"  # clears the screen


@pytest.mark.parametrize(
    "text, shown",
    [
        ("photos/a b.jpg", "photos/a b.jpg"),
        (
            "München 東京\u3000猫 🐈\u200d⬛ नमस्ते می\u200cخواهم שלום\u200f",
            "München 東京\u3000猫 🐈\u200d⬛ नमस्ते می\u200cخواهم שלום\u200f",
        ),
        (f"a{CLEAR}.jpg", r"a\x1b[2J.jpg"),
        ("a\nb\r\tc\x00\x7f\x9b31m", r"a\nb\r\tc\x00\x7f\x9b31m"),
        ("gpj\u202egnp.exe\u2066", r"gpj\u202egnp.exe\u2066"),
        ("not\udcffutf\u2028\u2029\u0085", r"not\udcffutf\u2028\u2029\x85"),
        (r"C:\x1b", r"C:\x1b"),
        (17, "17"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown


def test_lines_stay_lines():
    out = io.StringIO()
    say(f"one\ntwo{CLEAR}\r", file=out)
    assert out.getvalue() == "one\ntwo\\x1b[2J\\r\n"


def test_error_line(capsys):
    def main(argv):
        raise InputError(f"photos/{CLEAR}\n\u202e.jpg: no such file")

    with pytest.raises(SystemExit):
        cli.run_tool(main, [])
    assert capsys.readouterr().err == "error: photos/\\x1b[2J \\u202e.jpg: no such file\n"


def test_skipped_records(capsys):
    BadRecords(skip=True).report(f"{CLEAR}.jpg: damaged")
    assert capsys.readouterr().err == "skipped: \\x1b[2J.jpg: damaged\n"


def test_log_of_a_run(tmp_path, capsys):
    Progress(tmp_path / "train.log", 1).log(f"run {CLEAR}")
    assert capsys.readouterr().out == "run \\x1b[2J\n"
    assert CLEAR not in (tmp_path / "train.log").read_text()


def test_hits(monkeypatch, capsys):
    """The JSON keeps them as they are."""
    from inflate_shrink.commands import search
    from inflate_shrink.search.searcher import Hit

    hit, written = Hit(1, 0.5, f"id{CLEAR}", "a\u202eb.jpg"), []
    index = SimpleNamespace(search=lambda query, k: [hit], remarks=lambda query: [])
    monkeypatch.setattr(search, "open_searchable", lambda *_: index)
    monkeypatch.setattr(search, "_held", lambda *_: (1, "images"))
    monkeypatch.setattr(search, "write_json", lambda path, value: written.append(value))
    search.main(["--index", "index", "-k", "1", "--json", "hits.json", "red"])
    assert capsys.readouterr().out == "   1    0.5000  id\\x1b[2J  a\\u202eb.jpg\n"
    assert written[0]["hits"][0]["id"] == f"id{CLEAR}"


def test_no_command_prints_past_it():
    from pathlib import Path

    commands = Path(cli.__file__).parent / "commands"
    assert not [path.name for path in commands.glob("[a-z]*.py") if " print(" in path.read_text(encoding="utf-8")]
