"""Hands and eyes of a person before the page."""

import time
from urllib.parse import urlencode

EVIL = "<img src=x onerror=document.body.remove()>"
EVIL_CAPTION = "a red ball <script>document.body.remove()</script>"
_PATIENCE = 10  # seconds


class Page:
    """Hands and eyes of a person before the page."""

    def __init__(self, browser, service, title="tiny"):
        self.title, self.browser, self.driver, self.service = title, browser, browser.driver, service
        browser.emulate()

    def open(self, **parameters):
        """Open it at a link."""
        self.driver.get("about:blank")
        self.driver.get(self.service.address + (f"?{urlencode(parameters)}" if parameters else ""))
        self.wait(lambda: self.find("#home").text == self.title)

    def find(self, selector):
        """The first element of a selector."""
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        """All elements of a selector."""
        return self.driver.find_elements("css selector", selector)

    def run(self, script, *arguments):
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector):
        """The text of the first element of a selector."""
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def wait(self, condition):
        """Wait until a condition holds, and return what it returned."""
        from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

        end = time.monotonic() + _PATIENCE
        while True:
            try:
                found = condition()
            except (NoSuchElementException, StaleElementReferenceException):
                found = None
            if found:
                return found
            assert time.monotonic() < end, f"not within {_PATIENCE} s; the page says {self.text('#app')[:500]!r}"
            time.sleep(0.02)

    def press(self, *keys):
        """Press keys, one after another, wherever the focus is; words are typed."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        chain = ActionChains(self.driver, duration=0)
        for key in keys:
            chain.send_keys(getattr(Keys, key, key))
        chain.perform()

    def point(self, selector):
        """Move the mouse onto an element."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver, duration=0).move_to_element(self.find(selector)).perform()

    def search(self, words):
        """Type words, and wait for their answer."""
        self.find("#query").clear()
        self.find("#query").send_keys(words)
        self.wait(lambda: self.address.get("q") == words)
        self.settle()

    def settle(self):
        """Wait until no search is under way and the hits are those of the question."""
        self.wait(
            lambda: self.run(
                "return document.querySelector('#hits:not(.old) li') && !document.body.matches('.searching')"
            )
        )

    @property
    def address(self):
        """The parameters of the address."""
        return dict(self.run("return [...new URLSearchParams(location.search)]"))

    @property
    def hits(self):
        """The ids of the hits, in order."""
        return self.run("return [...document.querySelectorAll('#hits .name')].map((name) => name.textContent)")

    @property
    def focused(self):
        """The element that has the focus."""
        return self.driver.switch_to.active_element

    def answer(self, path, **body):
        """What the service itself says: ids."""
        import httpx

        return [hit["id"] for hit in httpx.post(self.service.address + path, json=body).json()["hits"]]
