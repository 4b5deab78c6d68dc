"""Every relative link of README, CONTRIBUTING and docs leads to a file and a heading; every path they name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)>\s]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
TARGET = re.compile(r"(?:href|src)=[\"']([^\"']+)")
HEADING = re.compile(r"^#{1,6} +(.*?)[ #]*$", re.MULTILINE)
PATH = re.compile(r"(?<![\w./-])(?:docs|tests|tools|configs|constraints|inflate_shrink|\.ci)/[\w./*-]*[\w/*]")


def anchors(text):
    """The anchors that GitHub gives the headings of a page: the second of one name ends with -1."""
    found = set()
    for heading in HEADING.findall(FENCED.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number = sum(1 for anchor in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", anchor))
        found.add(f"{slug}-{number}" if slug in found else slug)
    return found


def links(text):
    """The targets of a page's links and images that are no addresses of other sites."""
    text = FENCED.sub("", text)
    targets = [inline or reference for inline, reference in LINK.findall(text)] + TARGET.findall(text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def broken_links(page):
    """What is wrong with the links of a page, a line each."""
    for target in links(page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists():
            yield f"{target}: no such file"
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"{target}: no such heading"


def missing_paths(text, root):
    """The paths of the repository that a page names, and that are not there. Capitals stand for a reader's name."""
    for path in PATH.findall(text):
        if not re.search(r"\b[A-Z]{2,}\b", path) and not any(root.glob(path.rstrip("/"))):
            yield path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_leads_to_what_is_there(page):
    assert not list(broken_links(page))
    assert not list(missing_paths(page.read_text(encoding="utf-8"), ROOT))


def test_what_is_read(tmp_path):
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "page.md"
    page.write_text(
        "# Top\n## A `k = 2`, or [more](x.md)?\n## Top\n[a](#top-1) [b](#a-k--2-or-more) [c](https://x.org/y.md)\n"
        "```\n# No heading\n[no link](z.md)\n```\n![d](none.png) [e](#no-heading) <img src='f.png'>\n"
        "Named: `docs/page.md`, docs/p*.md, `docs/NAME.md`, docs/, a/docs/q.md, `docs/gone.md`.\n"
        "[g]: page.md#top 'title'\n[h](../docs/page.md#gone)\n"
    )
    assert list(broken_links(page)) == [
        "x.md: no such file",
        "none.png: no such file",
        "#no-heading: no such heading",
        "../docs/page.md#gone: no such heading",
        "f.png: no such file",
    ]
    assert list(missing_paths(page.read_text(), tmp_path)) == ["docs/gone.md"]
