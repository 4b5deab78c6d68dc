// Attention by layer and head: lines from the left, which attends, to the right, and a heat map.

import { colour, make } from "./dom.js";

const SIDE = 92, SPAN = 200, FAINTEST = 0.05, SCALE = 1000; // weights are thousandths

// Draws into `panel`. `found`: labels (n), weights: layers of heads of n x n thousandths.
export function showAttention(found, panel, reading) {
  const size = found.labels.length, codesFrom = found.labels.findIndex((label) => /^code \d+$/.test(label));
  const heads = found.weights[0].length;
  const layer = make("select", {}, ...found.weights.map((_, i) => make("option", { value: i, text: i + 1 })));
  const head = make("select", {}, make("option", { value: -1, text: "all" }), ...found.weights[0].map((_, i) => make("option", { value: i, text: i + 1 })));
  const keys = make("span", { class: "keys", "aria-hidden": "true" }, ...Array.from({ length: heads }, (_, i) => {
    const key = make("span", { class: "key", text: i + 1 });
    key.style.setProperty("--shade", colour(i));
    return key;
  }));
  const sides = { from: make("div", { class: "from", role: "group", "aria-label": "attends" }), to: make("div", { class: "to", role: "group", "aria-label": "is attended to" }) };
  const lines = make("canvas", { "aria-hidden": "true" });
  const heat = make("canvas", { class: "heat", role: "img", "aria-label": "Heat map: a row for each position that attends, a column for each that is attended to" });
  const room = panel.clientWidth - SPAN - 16 * 12 - SIDE; // pixels that are left for the cells
  const CELL = Math.round(Math.min(22, Math.max(12, room / size))), ROW = Math.max(17, CELL);
  let pointed = null, kept = null; // {side: "from" or "to", index}

  const cell = (side, index, other) => (side === "from" ? index * size + other : other * size + index);
  const touches = (pick, from, to) => !pick || (pick.side === "from" ? from : to) === pick.index;

  // The heads that are shown, each {colour, weights}, and their mean.
  function shown() {
    const all = found.weights[layer.value].map((weights) => weights.flat());
    const numbers = head.value < 0 ? all.map((_, i) => i) : [Number(head.value)];
    const mean = all[0].map((_, at) => numbers.reduce((total, i) => total + all[i][at], 0) / numbers.length);
    return { heads: numbers.map((i) => ({ colour: colour(i), weights: all[i] })), mean };
  }

  function drawLines(view, pick) {
    const context = canvas(lines, SPAN, size * ROW);
    const floor = pick ? 0 : SCALE / size; // an even share
    const all = [];
    for (const { colour: stroke, weights } of view.heads) weights.forEach((weight, i) => {
      const from = Math.floor(i / size), to = i % size;
      if (weight > floor && touches(pick, from, to)) all.push({ stroke, from, to, strength: weight - floor });
    });
    all.sort((a, b) => a.strength - b.strength); // the strongest on top
    const strongest = all.length ? all[all.length - 1].strength : 0;
    context.lineWidth = 1.5;
    for (const { stroke, from, to, strength } of all.filter((line) => line.strength >= FAINTEST * strongest)) {
      context.strokeStyle = stroke;
      context.globalAlpha = strength / strongest;
      context.beginPath();
      context.moveTo(0, (from + 0.5) * ROW);
      context.lineTo(SPAN, (to + 0.5) * ROW);
      context.stroke();
    }
    if (codesFrom > 0) part(context, [[0, codesFrom * ROW, SPAN, codesFrom * ROW]]);
  }

  function drawHeat(view, pick) {
    const context = canvas(heat, SIDE + size * CELL, SIDE + size * CELL);
    const style = getComputedStyle(heat), strongest = view.mean.reduce((a, b) => Math.max(a, b), 1);
    context.font = `11px ${style.fontFamily}`;
    context.textBaseline = "middle";
    for (let i = 0; i < size; i++) {
      context.fillStyle = style.color;
      context.textAlign = "right";
      context.globalAlpha = !pick || pick.side === "to" || pick.index === i ? 1 : 0.4;
      context.fillText(found.labels[i], SIDE - 5, SIDE + (i + 0.5) * CELL, SIDE - 8);
      context.globalAlpha = !pick || pick.side === "from" || pick.index === i ? 1 : 0.4;
      context.save();
      context.translate(SIDE + (i + 0.5) * CELL, SIDE - 5);
      context.rotate(-Math.PI / 2);
      context.textAlign = "left";
      context.fillText(found.labels[i], 0, 0, SIDE - 8);
      context.restore();
      context.fillStyle = style.accentColor;
      for (let j = 0; j < size; j++) {
        context.globalAlpha = Math.sqrt(view.mean[i * size + j] / strongest) * (touches(pick, i, j) ? 1 : 0.25);
        context.fillRect(SIDE + j * CELL, SIDE + i * CELL, CELL - 1, CELL - 1);
      }
    }
    const at = SIDE + codesFrom * CELL - 0.5, end = SIDE + size * CELL;
    if (codesFrom > 0) part(context, [[SIDE, at, end, at], [at, SIDE, at, end]]);
  }

  function shade(view, pick) {
    for (const [side, list] of Object.entries(sides)) [...list.children].forEach((button, index) => {
      const other = pick && pick.side !== side;
      button.style.setProperty("--share", other ? Math.min(0.9, 0.9 * Math.sqrt(view.mean[cell(pick.side, pick.index, index)] / SCALE)) : 0);
      button.classList.toggle("chosen", Boolean(pick) && pick.side === side && pick.index === index);
      button.setAttribute("aria-pressed", Boolean(kept) && kept.side === side && kept.index === index);
    });
  }

  function read(view, pick) {
    let text = "";
    if (pick) {
      const others = found.labels.map((label, i) => [view.mean[cell(pick.side, pick.index, i)] / SCALE, label]);
      const best = others.sort((a, b) => b[0] - a[0]).slice(0, 5).map(([share, label]) => `${label} ${share.toFixed(3)}`);
      text = `${found.labels[pick.index]} ${pick.side === "from" ? "attends to" : "is attended to by"}: ${best.join(", ")}`;
    }
    reading.textContent = text || "Left attends to right; point at a position to read its attention.";
  }

  function draw() {
    const view = shown(), pick = pointed || kept;
    drawLines(view, pick);
    drawHeat(view, pick);
    shade(view, pick);
    read(view, pick);
  }
  const point = (next) => { pointed = next; draw(); };

  for (const [side, list] of Object.entries(sides)) found.labels.forEach((label, index) => {
    const place = { side, index };
    const button = make("button", {
      type: "button", text: label, title: label, tabindex: index ? -1 : 0, // the arrow keys reach the others
      mouseenter: () => point(place), focus: () => point(place),
      mouseleave: () => point(pointed === place ? null : pointed), blur: () => point(pointed === place ? null : pointed), // the mouse may lie still elsewhere
      click: () => { kept = kept && kept.side === side && kept.index === index ? null : place; draw(); },
      keydown: (event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], across = { ArrowLeft: "from", ArrowRight: "to" }[event.key];
        const next = step ? list.children[index + step] : across && sides[across].children[index];
        if (step || across) { event.preventDefault(); event.stopPropagation(); }
        if (next) next.focus();
      },
    });
    button.style.height = `${ROW}px`;
    list.append(button);
  });
  heat.addEventListener("mousemove", (event) => {
    const row = Math.floor((event.offsetY - SIDE) / CELL), column = Math.floor((event.offsetX - SIDE) / CELL);
    if (row < 0 && column >= 0 && column < size) point({ side: "to", index: column });
    else if (row >= 0 && row < size && column < size) {
      if (!pointed || pointed.side !== "from" || pointed.index !== row) point({ side: "from", index: row });
      if (column >= 0) reading.textContent = `${found.labels[row]} → ${found.labels[column]}: ${(shown().mean[row * size + column] / SCALE).toFixed(3)}`;
    }
  });
  heat.addEventListener("mouseleave", () => point(null));
  layer.addEventListener("change", draw);
  head.addEventListener("change", draw);

  panel.replaceChildren(
    make("div", { class: "heads" }, make("label", { text: "layer " }, layer), make("label", { text: "head " }, head), keys),
    make("div", { class: ROW === CELL ? "views level" : "views" }, make("div", { class: "lines" }, sides.from, lines, sides.to), make("div", { class: "map" }, heat)),
    make("p", { class: "soft", text: "Tab and the arrow keys move among the positions; Enter keeps one. Lines and cells are relative to the strongest shown; without a chosen position, lines show attention beyond an even share only." + (codesFrom > 0 ? " A dashed line parts the codes." : "") }));
  draw();
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const watcher = new MutationObserver(draw);
  scheme.addEventListener("change", draw);
  watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => { scheme.removeEventListener("change", draw); watcher.disconnect(); };
}

function canvas(target, width, height) {
  const ratio = window.devicePixelRatio || 1;
  target.width = width * ratio;
  target.height = height * ratio;
  target.style.width = `${width}px`;
  target.style.height = `${height}px`;
  const context = target.getContext("2d");
  context.scale(ratio, ratio);
  return context;
}

// Draws the dashed lines that part the codes from what is before them.
function part(context, segments) {
  context.globalAlpha = 1;
  context.strokeStyle = "#d62728";
  context.lineWidth = 1;
  context.setLineDash([4, 3]);
  for (const [x, y, right, bottom] of segments) {
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(right, bottom);
    context.stroke();
  }
  context.setLineDash([]);
}
