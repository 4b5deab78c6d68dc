"""The page in a browser: one photo, and photos as queries."""

import base64

import pytest
from hands import EVIL_CAPTION

pytestmark = pytest.mark.slow

QUERY = "a red ball"


def opened(page, way="2:exact", photo="test-00003.png"):
    page.open(q=QUERY, photo=photo, way=way)
    page.wait(lambda: page.text("#detail-title") == photo)


def test_words_and_boxes_light_up(page):
    opened(page)
    page.wait(lambda: page.all(".choice"))
    page.point("#detail-title")  # the mouse may lie where another test left it
    words = {row.find_element("css selector", ".word").text: row for row in page.all("#panel > .choices .choice")}
    assert set(words) == {"[CLS]", *QUERY.split()} and "score" in page.text(".reading")  # the model keeps four
    boxes = page.all("g.region:not(.unseen)")
    assert boxes and all(box.get_attribute("aria-label") for box in boxes)
    for row in (words["red"], words["ball"]):  # by the keyboard
        page.run("arguments[0].focus()", row)
        chosen = row.find_element("css selector", ".target").text
        (lit,) = page.all("g.region.chosen")
        assert lit.get_attribute("aria-label").startswith(f"{chosen}: ") and page.text(".reading").endswith(chosen)
    page.run("document.activeElement.blur()")
    assert not page.all(".chosen")
    page.point("g.region:not(.unseen) .label")  # by the mouse
    page.wait(lambda: page.all("g.region.chosen") == boxes[:1])
    lit = [row.find_element("css selector", ".word").text for row in page.all(".choice.chosen")]
    assert f": {' '.join(word for word in lit if word in QUERY.split()[1:])}" in boxes[0].get_attribute("aria-label")
    page.point("#detail-title")
    page.wait(lambda: not page.all(".chosen"))


def test_boxes_lie_on_what_they_are_of(page):
    """A box's corners, in pixels of the screen, are those of the service's answer in the photo as it is shown."""
    import httpx

    opened(page)
    boxes = page.wait(lambda: page.all("g.region:not(.unseen)"))
    found = httpx.get(page.service.address + "match/test-00003.png", params={"query": QUERY, "way": "2:exact"}).json()
    left, top, width, height = corners(page, page.find(".stage"))
    side = min(width, height)  # the scenes are square, at the top and in the middle
    left += (width - side) / 2
    for box in boxes:
        region = int(box.get_attribute("aria-label").split(":")[0].split()[1]) - 1
        x0, y0, x1, y1 = (side / found["width"] * corner for corner in found["boxes"][region])
        drawn = corners(page, box.find_element("css selector", ".box"))
        expected = (left + x0, top + y0, x1 - x0, y1 - y0)
        assert all(abs(one - other) < 5 for one, other in zip(drawn, expected))


def corners(page, element):
    """x, y, width and height of an element on the screen."""
    return page.run("const r = arguments[0].getBoundingClientRect(); return [r.x, r.y, r.width, r.height]", element)


def test_attention_of_the_text_and_of_the_image(page):
    opened(page)
    for name, label in (("text", "[CLS]"), ("image", "region 1")):
        page.find(f"#tab-{name}").click()
        page.wait(lambda: page.all(".from button") and page.all(".from button")[0].text == label)  # noqa: B023
        assert page.address["view"] == name
        for canvas in ("canvas.heat", ".lines canvas"):
            drawn = page.run(
                "const c = document.querySelector(arguments[0]); return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value)",
                canvas,
            )
            assert drawn, canvas
        page.run("document.querySelector('.from button').focus()")
        assert page.text(".reading").startswith(f"{label} attends to: ")
        page.press("ARROW_DOWN", "ARROW_RIGHT", "ENTER")
        assert "is attended to by" in page.text(".reading") and page.focused.get_attribute("aria-pressed") == "true"
    page.find("#tab-match").click()
    page.wait(lambda: page.all("g.region"))
    assert "view" not in page.address


def test_a_way_without_choices_borrows_those_of_another(page):
    opened(page, "1:exact", "test-00003")
    page.wait(lambda: page.all(".choice"))
    assert "words choose no regions" in page.text("#panel")


def test_opened_stepped_through_and_closed_by_keys(page):
    page.open()
    page.search(QUERY)
    page.press("ARROW_DOWN")
    names = page.hits
    for key, number in (("ARROW_RIGHT", 1), ("ARROW_DOWN", 7), ("ARROW_UP", 1), ("END", 23), ("HOME", 0)):
        page.press(key)
        assert page.focused.find_element("css selector", ".name").text == names[number], key
    page.press("ENTER")
    page.wait(lambda: page.find("#detail").is_displayed() and page.text("#detail-title") == names[0])
    page.press("ARROW_RIGHT")
    page.wait(lambda: page.text("#detail-title") == names[1])
    assert page.address["photo"] == names[1]
    page.press("ESCAPE")
    page.wait(lambda: not page.find("#detail").is_displayed())
    page.wait(lambda: page.focused.find_element("css selector", ".name").text == names[1])
    assert page.address == {"q": QUERY}
    page.press("ESCAPE")
    assert page.focused.get_attribute("id") == "query"
    page.run("document.activeElement.blur()")
    page.press("/")
    assert page.focused.get_attribute("id") == "query" and page.find("#query").get_attribute("value") == QUERY
    page.press("new")
    page.wait(lambda: page.address == {"q": "new"})


def test_similar_photos_and_captions_of_one(page):
    page.open(q=QUERY, way="2:exact")
    page.settle()
    name = page.hits[0]
    page.all("#hits .hit")[0].click()
    page.wait(lambda: page.text("#detail-title") == name)
    page.find("#detail").find_element("xpath", ".//button[text()='Similar photos']").click()
    page.wait(lambda: page.address == {"like": name, "way": "2:exact"})
    page.settle()
    assert len(page.hits) == 7 and name not in page.hits and page.text("#asked b") == name
    page.all("#hits .hit")[0].click()
    page.wait(lambda: page.find("#detail").is_displayed())
    other = page.text("#detail-title")
    page.find("#detail").find_element("xpath", ".//button[text()='Captions that fit']").click()
    page.wait(lambda: page.address == {"like": other, "way": "3:exact"})
    page.settle()
    assert len(page.all("#hits.captions .text")) == 16
    page.driver.back()
    page.driver.back()
    page.wait(lambda: page.address == {"like": name, "way": "2:exact"} and len(page.hits) == 7)
    page.find("#asked button").click()
    page.wait(lambda: not page.find("#asked").is_displayed() and page.find("#welcome").is_displayed())


GIVE = """
const [kind, name, type, content] = arguments, bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
const transfer = new DataTransfer();
transfer.items.add(new File([bytes], name, { type }));
const send = (event) => document.body.dispatchEvent(event);
if (kind === "paste") send(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
else for (const step of kind) send(new DragEvent(step, { dataTransfer: transfer, bubbles: true, cancelable: true }));
"""


def test_a_photo_is_dropped_pasted_or_chosen(page):
    page.open()
    file = page.service.photos / "test-00003.png"
    content = base64.b64encode(file.read_bytes()).decode()
    page.run(GIVE, ["dragenter", "dragover"], "mine.png", "image/png", content)
    assert page.find("#drop").is_displayed() and "photos like it" in page.text("#drop")
    page.run(GIVE, ["drop"], "mine.png", "image/png", content)
    assert not page.find("#drop").is_displayed()
    page.wait(lambda: page.address == {"way": "2:exact"})
    page.settle()
    assert page.hits[0] == file.name and page.text("#asked b") == "mine.png"
    page.find("#ways input[value='3:exact']").find_element("xpath", "..").click()
    page.wait(lambda: page.all("#hits.captions .hit"))
    assert EVIL_CAPTION in page.text("#hits")
    page.driver.back()
    page.wait(lambda: page.all("#hits.images .hit"))
    page.driver.back()
    page.wait(lambda: page.find("#welcome").is_displayed())
    page.run(GIVE, "paste", "pasted.png", "image/png", content)
    page.wait(lambda: page.text("#asked") and page.hits[:1] == [file.name])
    page.find("#file").send_keys(str(page.service.photos / "test-00001.png"))
    page.wait(lambda: page.hits[:1] == ["test-00001.png"])


def test_what_is_no_photo_is_refused_in_a_sentence(page):
    page.open()
    text = base64.b64encode(b"no photo").decode()
    page.run(GIVE, ["dragenter", "drop"], "notes.txt", "text/plain", text)
    assert page.text("#failure") == "notes.txt is no photo; drop a JPEG, PNG or WebP file."
    page.run(GIVE, ["dragenter", "drop"], "notes.png", "image/png", text)
    page.wait(lambda: "photo" in page.text("#failure") and "notes.txt" not in page.text("#failure"))
    page.run(
        "const limit = 20 * 2 ** 20 + 1, transfer = new DataTransfer(); transfer.items.add(new File([new Uint8Array(limit)], 'large.jpg', { type: 'image/jpeg' }));"
        "document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }))"
    )
    assert page.text("#failure") == "large.jpg has 21.0 MB; the service takes 21.0 MB at most."
