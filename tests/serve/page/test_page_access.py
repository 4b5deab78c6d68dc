"""The page in a browser: for those who cannot see or point, on a phone, in the dark, without scripts."""

import pytest

pytestmark = pytest.mark.slow

QUERY = "a red ball"
VIEWS = {
    "welcome": ({}, "#welcome h2"),
    "hits": ({"q": QUERY}, "#hits .hit"),
    "words": ({"q": QUERY, "photo": "test-00003.png", "way": "2:exact"}, ".choice"),
    "attention": ({"q": QUERY, "photo": "test-00003", "view": "text"}, ".from button"),
    "captions": ({"like": "test-00003.png", "way": "3:exact"}, "#hits .hit"),
}
OUTSIDE = """
return [...document.querySelectorAll("#form *, .settings > *, main *, dialog .top *, dialog [role=tab], .choice, .heads *")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > 360).map((one) => one.outerHTML);
"""


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_all_and_axe_finds_nothing_wrong(page, view):
    """No label, name or role is missing, no contrast too low, light and dark, on a phone and on a desk."""
    from axe_core_python.base import AXE_SCRIPT

    parameters, shown = VIEWS[view]
    page.browser.emulate(360, 640)
    page.open(**parameters)
    page.wait(lambda: page.all(shown))
    assert page.run("return [innerWidth, document.documentElement.scrollWidth]") == [360, 360]
    assert page.run(OUTSIDE) == []
    page.run(AXE_SCRIPT)
    for size in ({"width": 360, "height": 640}, {"dark": True}):
        page.browser.emulate(**size)
        found = page.driver.execute_async_script("axe.run().then(arguments[0])")["violations"]
        assert [(one["id"], [node["failureSummary"] + node["html"] for node in one["nodes"]]) for one in found] == []


def test_without_scripts_a_sentence_says_so(page):
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.driver.get(page.service.address)
        assert "needs JavaScript" in page.find("noscript").text and "POST /search" in page.find("noscript").text
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_colours_follow_the_system_or_the_switch(page):
    def paper():
        return page.run("return getComputedStyle(document.body).backgroundColor")

    page.open()
    assert paper() == "rgb(255, 255, 255)"
    page.browser.emulate(dark=True)
    assert paper() == "rgb(22, 24, 28)"
    page.find("#theme").click()
    assert paper() == "rgb(255, 255, 255)" and "light" in page.find("#theme").get_attribute("aria-label")
    page.open()
    assert paper() == "rgb(255, 255, 255)"
    page.find("#theme").click()
    page.browser.emulate()
    assert paper() == "rgb(22, 24, 28)"
    page.find("#theme").click()
    assert paper() == "rgb(255, 255, 255)"


def test_nothing_moves_where_that_is_not_wanted(page):
    page.open()
    page.browser.emulate(still=True)
    moving = "document.body.classList.add('searching'); return getComputedStyle(document.querySelector('#progress'), '::after').animationName"
    assert page.run(moving) == "none"
    page.browser.emulate()
    assert page.run(moving) == "along"


def test_the_tab_key_goes_through_all_in_the_order_that_is_seen(page):
    page.open()
    page.search(QUERY)
    seen = []
    page.find("#home").send_keys("")
    page.run("document.querySelector('#home').focus()")
    for _ in range(10):
        seen.append(page.run("const one = document.activeElement; return one.id || one.name || one.className"))
        page.press("TAB")
    assert seen[:9] == ["home", "query", "file", "theme", "way", "recall", "contains", "hit", "more"]
