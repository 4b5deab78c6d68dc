// Which region each word chose: boxes on the photo, and the words with their cosines.

import { UNSEEN, colour, count, inkOn, make, shape } from "./dom.js";

const LABEL = 12; // pixels of the letters on the photo
const OPEN_CODES = 8; // more codes than this are folded away

// Draws the boxes into `overlay` (an svg on the photo) and the list into `panel`; returns how to stop.
export function showMatch(found, overlay, panel, reading) {
  const choices = [...found.words, ...found.codes], words = new Set(found.words);
  const coloured = colours(found.words), boxed = (choice) => choice.region !== null && Boolean(box(found, choice.region));
  const boxes = new Map(), rows = [];
  let pointed = null, kept = null; // {choice} or {region}

  const touches = (pick, choice) => (pick.choice ? pick.choice === choice : words.has(choice) && choice.region === pick.region);
  const same = (one, other) => one && other && one.choice === other.choice && one.region === other.region;
  function draw() {
    const pick = pointed || kept, region = pick && (pick.choice ? pick.choice.region : pick.region);
    overlay.classList.toggle("some", Boolean(pick));
    boxes.forEach((drawn, number) => drawn.classList.toggle("chosen", Boolean(pick) && number === region));
    for (const [choice, row] of rows) {
      row.classList.toggle("chosen", Boolean(pick) && touches(pick, choice));
      row.setAttribute("aria-pressed", same(kept, { choice }) || false);
    }
    const named = pick && choices.filter((choice) => touches(pick, choice));
    reading.textContent = named?.length
      ? `${named.map((choice) => `${choice.text} ${choice.cosine.toFixed(3)}`).join(", ")} → ${target(named[0])}`
      : describe(found);
  }
  function listen(part, pick) {
    part.addEventListener("mouseenter", () => { pointed = pick; draw(); });
    part.addEventListener("focus", () => { pointed = pick; draw(); });
    for (const kind of ["mouseleave", "blur"]) part.addEventListener(kind, () => { if (pointed === pick) pointed = null; draw(); }); // the mouse may lie still elsewhere
    part.addEventListener("click", () => { kept = same(kept, pick) ? null : pick; draw(); });
    return part;
  }

  const row = (choice) => {
    const shade = choice.quiet ? UNSEEN : coloured.get(choice.region) || UNSEEN;
    const bar = make("span", { class: "cosine" });
    bar.style.setProperty("--share", Math.max(0, Math.min(1, choice.cosine)));
    const made = make("button", { class: `choice${choice.quiet ? " faint" : ""}`, type: "button" }, make("span", { class: "word", text: choice.text }),
      make("span", { class: "target", text: target(choice) }), bar, make("span", { class: "number", text: choice.cosine.toFixed(2) }));
    made.style.setProperty("--shade", shade);
    rows.push([choice, made]);
    return listen(made, { choice });
  };

  overlay.replaceChildren();
  overlay.setAttribute("viewBox", `0 0 ${found.width} ${found.height}`);
  const largestFirst = [...new Set(choices.filter(boxed).map((choice) => choice.region))].sort((a, b) => area(found, b) - area(found, a));
  for (const region of largestFirst) {
    const [x, y, right, bottom] = box(found, region), place = { x, y, width: right - x, height: bottom - y };
    const shade = coloured.get(region), named = naming(found, region);
    const drawn = shape("g", { class: shade ? "region" : "region unseen" },
      shape("path", { class: "veil", d: `M0 0H${found.width}V${found.height}H0ZM${x} ${y}V${bottom}H${right}V${y}Z` }),
      shape("rect", { ...place, class: "halo" }), shape("rect", { ...place, class: "box", stroke: shade || UNSEEN }));
    if (shade) {
      Object.entries({ tabindex: 0, role: "button", "aria-label": `region ${region + 1}: ${named}` }).forEach(([key, value]) => drawn.setAttribute(key, value));
      drawn.append(shape("g", { class: "label" }, shape("rect", { fill: shade }), shape("text", { fill: inkOn(shade), text: named })));
      listen(drawn, { region });
      drawn.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); drawn.dispatchEvent(new Event("click")); } });
    }
    overlay.append(drawn);
    boxes.set(region, drawn);
  }

  const codes = found.codes.length && make("details", { open: found.codes.length <= OPEN_CODES },
    make("summary", { text: `${count(found.codes.length, "inflating code")} of the text: ${sum(found.codes).toFixed(2)}` }),
    make("div", { class: "choices" }, ...found.codes.map(row)));
  panel.replaceChildren(
    make("div", { class: "choices" }, ...found.words.map(row)), codes || "",
    make("p", { class: "soft", text: explain(found) }));

  const watcher = new ResizeObserver(() => placeLabels(overlay, found));
  watcher.observe(overlay);
  draw();
  return () => watcher.disconnect();
}

const target = (choice) => (choice.region === null ? choice.image || "no region" : `region ${choice.region + 1}`);
const sum = (choices) => choices.reduce((total, choice) => total + choice.cosine, 0);
const area = (found, region) => { const [x, y, right, bottom] = box(found, region); return (right - x) * (bottom - y); };

// The box of a region, or null where it is unknown or empty.
function box(found, region) {
  const corners = found.boxes[region];
  return corners && corners[2] > corners[0] && corners[3] > corners[1] ? corners : null;
}

// A colour for each region that a word chose, in the order of the words; quiet words give none.
function colours(words) {
  const regions = new Set(words.filter((choice) => choice.region !== null && !choice.quiet).map((choice) => choice.region));
  return new Map([...regions].map((region, number) => [region, colour(number)]));
}

function naming(found, region) {
  const words = new Set(found.words.filter((choice) => choice.region === region && !choice.quiet).map((choice) => choice.text));
  const text = [...words].join(" ");
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}

function describe(found) {
  const parts = [["words", sum(found.words)], ["codes", sum(found.codes)], ["padding", found.padding]];
  return `score ${found.score.toFixed(2)} = ` + parts.filter(([, value]) => Math.abs(value) >= 0.005).map(([name, value]) => `${value.toFixed(2)} of ${name}`).join(" + ");
}

function explain(found) {
  const text = "Each word takes the image fragment of the highest cosine; the score is their sum.";
  return found.boxes.length ? `${text} A region is a cluster of boxes; drawn is its most central one.` : `${text} Where the regions lie is not known: the data set of this index is not at hand.`;
}

// Writes each label at that corner of its box, of eight places, where it hides least of the labels before it.
function placeLabels(overlay, found) {
  const matrix = overlay.getScreenCTM();
  if (!matrix || !matrix.a) return;
  const pixel = 1 / matrix.a, taken = [], room = { x: 0, y: 0, right: found.width, bottom: found.height };
  for (const label of overlay.querySelectorAll(".label")) {
    const [back, text] = label.children, outline = label.parentNode.querySelector(".box");
    text.style.fontSize = `${LABEL * pixel}px`;
    const width = text.getComputedTextLength() + 8 * pixel, height = (LABEL + 6) * pixel;
    const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => Number(outline.getAttribute(name)));
    const places = [y, y - height, y + h - height, y + h].flatMap((top) => [x, x + w - width].map((left) => ({ x: left, y: top, right: left + width, bottom: top + height })));
    const hidden = (place) => width * height - shared(place, room) + taken.reduce((total, other) => total + shared(place, other), 0);
    const best = places.reduce((a, b) => (hidden(b) < hidden(a) - 1e-6 ? b : a));
    taken.push(best);
    Object.entries({ x: best.x, y: best.y, width, height }).forEach(([key, value]) => back.setAttribute(key, value));
    text.setAttribute("x", best.x + 4 * pixel);
    text.setAttribute("y", best.y + height / 2);
  }
}

const shared = (one, other) =>
  Math.max(0, Math.min(one.right, other.right) - Math.max(one.x, other.x)) * Math.max(0, Math.min(one.bottom, other.bottom) - Math.max(one.y, other.y));
