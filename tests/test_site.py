"""The site of docs/ is built without a warning, from every page, and fetches nothing from elsewhere."""

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import inflate_shrink as ins
from inflate_shrink import commands

ROOT = Path(__file__).resolve().parents[1]
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*?src=[\"']?(?:https?:)?//|<link[^>]*?href=[\"']?(?:https?:)?//"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built with warnings as errors."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    directory = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(directory)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return directory


def read(path):
    return unescape(path.read_text(encoding="utf-8"))


def test_every_page_is_in_the_menu(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    menu = re.findall(
        r'href="([^"#:]+\.html)"', read(site / "index.html").partition("<main")[2].partition("<article")[0]
    )
    assert {path.as_posix() for path in pages} | {"api.html", "commands.html"} == set(menu)
    assert not list(site.rglob("*.py"))


def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20 and [str(path) for path in pages if FETCHED.search(read(path))] == []
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert styles and not [style for style in styles if re.search(r"@import|url\([\"']?(?:https?:)?//", style)]


def test_the_api_has_every_public_name_with_its_example(site):
    page = read(site / "api.html")
    assert [name for name in ins.__all__ if f'.{name}"' not in page] == []
    assert "encode_photos" in page and page.count("&gt;&gt;&gt;") + page.count(">>>") > 10
    assert ":class:" not in page and ":func:" not in page and "<blockquote>" not in page


def test_the_commands_have_their_help(site):
    page = read(site / "commands.html")
    for name in commands.names():
        assert f"usage: inflate-shrink {name} " in page
    assert "usage: inflate-shrink index build " in page


def test_markdown_is_read_as_github_reads_it(site):
    """Code in a list is code, and a link that leaves docs/ is its text."""
    assert re.search(r"<li>(?:(?!</li>).)*<pre>", read(site / "search.html"), re.DOTALL)
    assert 'href="../inflate_shrink' not in read(site / "search.html")
