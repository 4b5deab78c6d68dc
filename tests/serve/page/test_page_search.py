"""The page in a browser: words are typed, photos are ranked."""

import pytest
from hands import EVIL, EVIL_CAPTION

pytestmark = pytest.mark.slow

QUERY = "a red ball"


def test_photos_are_ranked_while_one_types(page):
    page.open()
    assert page.find("#welcome h2").text and len(page.all("#welcome li a")) == 5
    for letter in QUERY:
        page.find("#query").send_keys(letter)
    page.wait(lambda: page.address == {"q": QUERY})
    page.settle()
    assert page.hits == page.answer("search", query=QUERY, k=24)
    assert "The best 24 of 42 photos" in page.text("#status") and " ms" in page.text("#status")
    assert page.text("#ways label small").endswith(" ms")
    shown = page.all("#hits img")
    assert len(shown) == 24 and all(photo.get_attribute("alt") for photo in shown)
    page.wait(lambda: page.run("return arguments[0].naturalWidth", shown[0]))
    assert "scene" not in page.text("#welcome") and not page.find("#welcome").is_displayed()


def test_an_older_answer_is_never_shown(page):
    page.open()
    page.service.delays = [0.6, 0.0]
    page.find("#query").send_keys("a")
    page.wait(lambda: len(page.service.delays) == 1)  # it is on its way
    page.find("#query").send_keys(" blue box")
    page.wait(lambda: page.address.get("q") == "a blue box")
    page.settle()
    assert page.hits == page.answer("search", query="a blue box")
    page.run("return new Promise((done) => setTimeout(done, 700))")
    assert page.hits == page.answer("search", query="a blue box")


def test_a_way_is_chosen_and_the_back_button_takes_it_back(page):
    page.open()
    page.search(QUERY)
    first = page.hits
    page.find("#ways input[value='1:exact']").find_element("xpath", "..").click()
    vectors = page.answer("search", query=QUERY, way="1:exact")
    assert vectors != first
    page.wait(lambda: page.hits == vectors)
    assert page.address["way"] == "1:exact"
    assert [bool(times.text) for times in page.all("#ways small")] == [True, False, True, False, False]
    page.driver.back()
    page.wait(lambda: page.hits == first)
    assert page.find("#ways input[value='0:cascade']").is_selected()
    assert page.find("#query").get_attribute("value") == QUERY


def test_recall_is_asked_where_it_was_measured(page):
    page.open()
    page.search(QUERY)
    assert "recall" not in page.service.asked[-1]
    page.run(
        "const select = document.querySelector('#recall'); select.value = '0.9'; select.dispatchEvent(new Event('change'))"
    )
    page.wait(lambda: page.service.asked[-1].get("recall") == 0.9)
    page.settle()
    page.find("#ways input[value='0:exact']").find_element("xpath", "..").click()
    page.wait(lambda: not page.find("#recall-label").is_displayed() and page.service.asked[-1]["way"] == "0:exact")
    assert "recall" not in page.service.asked[-1]
    page.settle()


def test_a_filter_and_more(page):
    page.open()
    page.search(QUERY)
    page.find("#more").click()
    page.wait(lambda: len(page.hits) == 42)
    assert page.hits == page.answer("search", query=QUERY, k=100)
    assert (
        page.focused.get_attribute("class") == "hit"
        and page.run("return document.activeElement.querySelector('.rank').textContent") == "25"
    )
    assert not page.find("#more").is_displayed()
    page.find("#contains").send_keys("VAL-")
    page.wait(lambda: len(page.hits) == 8)
    assert all(name.startswith("val-") for name in page.hits) and page.address["contains"] == "VAL-"
    page.find("#query").send_keys(" left")
    page.find("#contains").send_keys("nothing ")  # both within the pause after a key
    page.wait(lambda: "No photo here contains “VAL-nothing”" in page.text("#status"))
    page.wait(lambda: page.address == {"q": f"{QUERY} left", "contains": "VAL-nothing "})


def test_a_link_opens_what_it_was_copied_from(page):
    page.open(q=QUERY, way="0:exact", contains="test")
    page.settle()
    assert (
        page.find("#query").get_attribute("value") == QUERY and page.find("#ways input[value='0:exact']").is_selected()
    )
    assert len(page.hits) == 10 and QUERY in page.driver.title


def test_nothing_that_a_name_or_a_caption_holds_is_run(page):
    page.open(q=QUERY, way="2:exact")
    page.settle()
    number = page.hits.index(f"{EVIL}.png")
    assert page.all("#hits img")[number].get_attribute("alt") == EVIL_CAPTION
    page.all("#hits .hit")[number].click()
    page.wait(lambda: page.text("#detail-title") == f"{EVIL}.png")
    assert EVIL in page.driver.title
    page.open(like=f"{EVIL}.png", way="3:exact")
    page.settle()
    assert EVIL_CAPTION in page.run(
        "return [...document.querySelectorAll('#hits .text')].map((text) => text.textContent)"
    )
    assert page.text("#asked b") == f"{EVIL}.png"
    assert page.run("return document.querySelectorAll('script').length") == 2
    page.open(q=EVIL)
    page.wait(lambda: page.find("#query").get_attribute("value") == EVIL)
    assert not page.all("[onerror]")
