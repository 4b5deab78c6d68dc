// What is set once: the way to search, the recall of a cascade, the filter, dark or light.

import { element, icon, make, milliseconds } from "./dom.js";

const RECALLS = [["", "0.99"], ["0.9", "0.90"], ["0.95", "0.95"], ["1", "1 (all are scored)"]];

// The ways as radio buttons, each with the times of its last search.
export class Ways {
  constructor(ways, chosen) {
    this.times = new Map();
    this.inputs = new Map();
    const set = element("ways");
    for (const way of ways) {
      const input = make("input", { type: "radio", name: "way", value: way.way, change: () => chosen(way.way) });
      const times = make("small");
      set.append(make("label", { title: `${way.model}, ${way.mode}` }, input, make("span", { text: way.label }), times));
      this.inputs.set(way.way, input);
      this.times.set(way.way, times);
    }
    set.hidden = ways.length < 2;
  }

  choose(way) {
    for (const [name, input] of this.inputs) input.checked = name === way;
    const { parentNode: label } = this.inputs.get(way), set = element("ways"); // which on a phone is narrower than they are
    if (label.offsetLeft < set.scrollLeft || label.offsetLeft + label.offsetWidth > set.scrollLeft + set.clientWidth) set.scrollLeft = label.offsetLeft - 12;
  }

  // Writes the times of a way's search into its button.
  took(way, { encode_ms: encode, search_ms: search }) {
    const times = this.times.get(way);
    if (!times) return;
    times.textContent = `${encode ? `${milliseconds(encode)} + ` : ""}${milliseconds(search)} ms`;
    times.title = encode ? "encoding the query + searching" : "searching";
  }
}

export function recalls(changed) {
  const select = element("recall");
  select.append(...RECALLS.map(([value, text]) => make("option", { value, text })));
  select.addEventListener("change", () => changed(select.value));
}

const THEMES = {
  "": ["Colours: as the system's", "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14"],
  light: ["Colours: light", "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1"],
  dark: ["Colours: dark", "M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5z"],
};

// The switch of colours goes round: as the system's, light, dark. theme.js reads what is kept here.
export function theme() {
  const button = element("theme"), names = Object.keys(THEMES);
  const show = () => {
    const now = document.documentElement.dataset.theme || "";
    button.title = THEMES[now][0];
    button.setAttribute("aria-label", THEMES[now][0]);
    button.replaceChildren(icon(THEMES[now][1]));
  };
  button.addEventListener("click", () => {
    const next = names[(names.indexOf(document.documentElement.dataset.theme || "") + 1) % names.length];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    try {
      localStorage.setItem("theme", next);
    } catch { /* it holds until the page is left */ }
    show();
  });
  show();
}
