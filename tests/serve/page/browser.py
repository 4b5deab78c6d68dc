"""Headless Chromium of Debian's packages, with which the page is tested and its pictures are made."""

import shutil
import tempfile

OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
).split()
INSTALL = "apt-get install -y chromium chromium-driver"


def missing():
    """What is missing for a browser, or ""."""
    for name in ("chromium", "chromedriver"):
        if not shutil.which(name):
            return f"there is no {name}: {INSTALL}"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed"
    return ""


class Browser:
    """A browser with a profile of its own, on 1,280 x 860 pixels, light.

    Attributes:
        driver: of selenium.
    """

    def __init__(self):
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        for option in (*OPTIONS, f"--user-data-dir={self._profile.name}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # By name: else selenium would look for one in the network.
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        self.emulate()

    def emulate(self, width=1280, height=860, dark=False, still=False):
        """Set the size of the window, the colours and whether motion is wanted."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if still else "no-preference",
        }
        wanted = [{"name": name, "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})

    def close(self):
        """End it."""
        self.driver.quit()
        self._profile.cleanup()
