"""Make the pictures of docs/page.md, docs/images/serve-*.png, after `make demo`.

python tests/serve/page/screenshots.py
"""

import io
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from browser import Browser, missing  # noqa: E402
from hands import Page  # noqa: E402
from running import Service  # noqa: E402

from inflate_shrink.cpu import prepare_for_paddle  # noqa: E402

QUERY = "a red ball left of a box"
PHOTO = {"q": QUERY, "way": "1:exact", "photo": "test-00340"}
DESK, PHONE = {"width": 1120, "height": 720}, {"width": 390, "height": 780}
VIEWS = {  # name: how it is looked at, the address, what is to be seen, what is pointed at
    "photos": (DESK, {"q": QUERY}, "#hits img", ""),
    "words": (DESK, PHOTO, ".choice", ".choice:nth-child(8)"),
    "attention-dark": ({**DESK, "dark": True}, {**PHOTO, "view": "text"}, ".from button", ".from button:nth-child(8)"),
    "captions": (DESK, {"like": "test-00340", "way": "3:exact"}, "#hits .hit", ""),
    "phone": (PHONE, {"q": QUERY}, "#hits img", ""),
    "phone-words-dark": ({**PHONE, "dark": True}, PHOTO, ".choice", ""),
}
_EXACT = 64  # colours


def build(place):
    """Build indexes of the demo's models of the test split, and open them."""
    from inflate_shrink.engine.checkpoint import open_checkpoint
    from inflate_shrink.search.build import BuildSettings, Models, build_index
    from inflate_shrink.serve.collection import open_collection

    opened = {name: open_checkpoint(ROOT / "runs" / "demo" / name) for name in ("I", "I-B", "I-B-F")}
    models = {
        "I-B": Models(opened["I-B"], opened["I-B-F"]),
        "I": Models(opened["I"]),
        "F": Models(opened["I-B-F"]),
        "captions": Models(opened["I-B"]),
    }
    for name, model in models.items():
        settings = BuildSettings("captions" if name == "captions" else "images")
        build_index(place / name, model, ROOT / "data" / "demo", "test", settings)
    return open_collection([place / name for name in models])


def save(picture, path):
    """Write a picture of few colours, so that it is small."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture)).convert("RGB")
    exact = sorted(image.getcolors(image.width * image.height), reverse=True)[:_EXACT]  # the page's own
    mixed = image.quantize(256 - _EXACT, Image.Quantize.MEDIANCUT).getpalette()  # the photos'
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in exact for part in colour] + mixed)
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def main():
    """Serve the demo, look at it, and write what is seen."""
    if missing():
        sys.exit(missing())
    prepare_for_paddle()
    from inflate_shrink.serve.app import build_app

    with tempfile.TemporaryDirectory() as place:
        collection = build(Path(place))
        collection.warm_up()
        service, browser = Service(build_app(collection, "Drawn scenes")), Browser()
        try:
            for name, (window, address, seen, pointed) in VIEWS.items():
                page = Page(browser, service, "Drawn scenes")
                browser.emulate(**window)
                page.open(**address)
                page.wait(lambda: page.all(seen))  # noqa: B023
                if pointed:
                    page.point(pointed)
                time.sleep(1)  # photos arrive, labels are placed
                save(browser.driver.get_screenshot_as_png(), ROOT / "docs" / "images" / f"serve-{name}.png")
        finally:
            browser.close()
            service.close()


if __name__ == "__main__":
    main()
