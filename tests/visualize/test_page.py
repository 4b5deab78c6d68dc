"""The pages hold their data, load nothing, and run no text of the user's."""

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from inflate_shrink.visualize.attention import Attention
from inflate_shrink.visualize.choices import Choice, Match
from inflate_shrink.visualize.match_figure import UNSEEN
from inflate_shrink.visualize.page import attention_page, match_page
from inflate_shrink.visualize.palette import colours
from inflate_shrink.visualize.photo import Scene

EVIL = '</script><script>alert(1)</script><!--DATA--><img src=x onerror=alert(2)> & "字"'
WEIGHTS = np.random.RandomState(0).dirichlet(np.ones(3), size=(2, 4, 3)).astype("float32")
SCENE = Scene(Image.new("RGB", (3000, 1500), "red"), 300, 150, np.array([[1, 2, 3, 4.5]], "float32"), "(a note)")
MATCH = Match([Choice(EVIL, "region 1", 0.5, 0), Choice("b", "code 1", 0.25, None)], [], 0.0, 0.75)


class Page(HTMLParser):
    """tags: (name, attributes); text: of each tag's kind, joined."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self._open = [], {}, ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self._open = dict(attributes).get("type", tag)
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        self.text[self._open] = self.text.get(self._open, "") + data

    @property
    def data(self):
        return json.loads(self.text["application/json"])


@pytest.fixture(params=["attention", "match"])
def source(request):
    return (
        attention_page(Attention([EVIL, "b", "c"], WEIGHTS), EVIL)
        if request.param == "attention"
        else match_page(MATCH, SCENE, EVIL)
    )


def test_text_is_inert(source):
    page = Page(source)
    assert [tag for tag, _ in page.tags].count("script") == 2 and not [tag for tag, _ in page.tags if tag == "img"]
    assert page.text["h1"].startswith(EVIL) and page.text["title"].startswith(EVIL)
    assert EVIL in (page.data.get("labels") or [choice["text"] for choice in page.data["words"]])
    assert "innerHTML" not in source and "alert" not in page.text["script"]


def test_nothing_is_loaded(source):
    page = Page(source)
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object", "base")]
    assert not [attributes for _, attributes in page.tags if attributes.keys() & {"src", "href", "onclick"}]
    assert source.count("://") == source.count("http://www.w3.org/2000/svg") <= 1  # a name, not an address
    assert "url(" not in source and "@import" not in source and "fetch(" not in source
    assert "prefers-color-scheme: dark" in page.text["style"] and "<!--" not in source.replace("&lt;!--", "").replace(
        EVIL, ""
    ).replace("\\u003c!--", "")


def test_attention():
    data = Page(attention_page(Attention(["a", "b", "c"], WEIGHTS), "I")).data
    assert data["labels"] == ["a", "b", "c"] and data["colours"] == colours(4)
    np.testing.assert_allclose(np.array(data["weights"]).reshape(WEIGHTS.shape) / data["scale"], WEIGHTS, atol=0.00051)


def test_match():
    page = Page(match_page(MATCH, SCENE, "B"))
    data = page.data
    assert page.text["h1"] == "B (a note)" and data["score"] == MATCH.describe()
    assert data["words"][1] == {"text": "b", "image": "code 1", "cosine": 0.25, "region": None, "colour": UNSEEN}
    assert data["words"][0]["colour"] == colours(1)[0] and data["boxes"] == [[1, 2, 3, 4.5]]
    kind, _, photo = data["photo"].partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(photo)))
    assert (
        kind == "data:image/jpeg;base64" and image.size == (1200, 600) and (data["width"], data["height"]) == (300, 150)
    )
    assert SCENE.photo.size == (3000, 1500)


def test_without_a_photo():
    assert Page(match_page(MATCH, SCENE._replace(photo=None), "B")).data["photo"] == ""
