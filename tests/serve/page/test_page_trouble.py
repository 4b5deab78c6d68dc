"""The page in a browser: the service is busy, slow or gone, photos have moved."""

import pytest

pytestmark = pytest.mark.slow

QUERY = "a red ball"


def offline(page, gone):
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": gone, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    )


def test_a_busy_service_is_asked_again(page):
    page.open()
    page.search(QUERY)
    before = page.hits
    page.service.busy = 1
    page.find("#query").send_keys(" left")
    page.wait(lambda: "ask again in a second" in page.text("#failure"))
    assert page.hits == before and "old" in page.find("#hits").get_attribute("class")
    page.wait(lambda: not page.find("#failure").is_displayed())
    page.settle()
    assert page.hits == page.answer("search", query=f"{QUERY} left")


def test_a_service_that_is_gone_is_found_again(page):
    page.open()
    page.search(QUERY)
    try:
        offline(page, True)
        page.find("#query").send_keys(" box")
        page.wait(lambda: "does not answer" in page.text("#failure"))
        assert page.find("#failure button").text == "Try now"
    finally:
        offline(page, False)
    page.wait(lambda: page.hits == page.answer("search", query=f"{QUERY} box"))
    assert not page.find("#failure").is_displayed()


def test_a_slow_answer_is_waited_for_visibly(page):
    page.open()
    page.search(QUERY)
    page.service.delays = [0.5]
    page.find("#query").send_keys(" star")
    page.wait(lambda: page.text("#status") == "Searching…" and page.all("#hits.old"))
    page.settle()
    assert "The best 24" in page.text("#status")


def test_a_refusal_is_said_as_the_service_says_it(page):
    page.open()
    page.search(QUERY)
    fill = "const field = document.querySelector('#query'); field.value = arguments[0]; field.dispatchEvent(new Event('input'))"
    page.run(fill, "ball " * 2000)
    page.wait(lambda: page.text("#failure") == "query: more than the limit of 1,000 characters; shorten it")
    page.run(fill, QUERY)
    page.settle()
    assert not page.find("#failure").is_displayed()


def test_a_photo_that_has_moved(page):
    file = page.service.photos / "test-00005.png"
    page.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    moved = file.rename(file.with_suffix(".gone"))
    try:
        page.open(q=QUERY, way="2:exact")
        page.settle()
        page.wait(lambda: page.all("#hits .missing"))
        assert page.find("#hits .missing").text == "the photo cannot be shown"
        page.open(q=QUERY, way="2:exact", photo=file.name)
        page.wait(lambda: "has moved or cannot be read" in page.text(".moved"))
        page.wait(lambda: page.all(".choice"))
    finally:
        moved.rename(file)


def test_a_photo_that_the_index_does_not_hold(page):
    page.open(q=QUERY, photo="nowhere")
    page.wait(lambda: "nowhere" in page.text("#panel"))
    page.press("ESCAPE")
    page.settle()
