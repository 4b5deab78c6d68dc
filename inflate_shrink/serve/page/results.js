// The hits: photos in a grid, or captions in a list.

import { make } from "./dom.js";

export class Results {
  // open(hit, link): a hit was chosen. address(hit): what its link leads to. leave(): the keyboard went up, out of the hits.
  constructor(list, { open, address, leave }) {
    Object.assign(this, { list, open, address, leave, hits: [] });
    list.addEventListener("keydown", (event) => this.#move(event));
    list.addEventListener("focusin", (event) => event.target.matches(".hit") && this.#current(event.target));
  }

  get links() {
    return [...this.list.querySelectorAll(".hit")];
  }

  // Shows hits in place of those before, or behind them. `holds`: "images" or "captions".
  show(hits, holds, append = false) {
    const items = hits.map((hit) => make("li", {}, holds === "captions" ? this.#caption(hit) : this.#photo(hit)));
    this.list.className = holds;
    if (append) this.list.append(...items);
    else this.list.replaceChildren(...items);
    this.hits = append ? [...this.hits, ...hits] : hits;
    if (!append && this.links.length) this.#current(this.links[0]);
    if (append) items.forEach((item) => (item.firstChild.tabIndex = -1));
  }

  clear() {
    this.show([], "images");
  }

  // Puts the focus on a hit, by its number from 0.
  focus(number) {
    this.links[number]?.focus();
  }

  #photo(hit) {
    const frame = make("span", { class: "frame" });
    if (hit.photo) {
      const photo = make("img", { src: `${hit.photo}${hit.photo.includes("?") ? "&" : "?"}size=small`, alt: hit.alt || hit.id, loading: "lazy" });
      photo.addEventListener("load", () => frame.classList.toggle("coarse", photo.naturalWidth < 160));
      photo.addEventListener("error", () => frame.replaceChildren(missing()));
      frame.append(photo);
    } else frame.append(missing());
    const link = make("a", { class: "hit", href: this.address(hit), "aria-keyshortcuts": "Enter" }, frame,
      make("span", { class: "line" }, rank(hit), make("span", { class: "name", text: hit.id, title: hit.id }), score(hit)));
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return; // a new tab, as of any link
      event.preventDefault();
      this.open(hit, link);
    });
    return link;
  }

  #caption(hit) {
    return make("button", { class: "hit", type: "button", click: (event) => this.open(hit, event.currentTarget) }, rank(hit),
      make("span", { class: "text", text: hit.text }), make("span", { class: "name", text: hit.id, title: hit.id }), score(hit));
  }

  #current(link) {
    for (const other of this.links) other.tabIndex = other === link ? 0 : -1;
  }

  #move(event) {
    const links = this.links, at = links.indexOf(document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const top = links[0].offsetTop, next = links.findIndex((link) => link.offsetTop > top);
    const columns = next < 0 ? links.length : next;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    let to = { Home: 0, End: links.length - 1 }[event.key];
    if (step) {
      to = at + step;
      if (event.key === "ArrowUp" && to < 0) return event.preventDefault(), this.leave();
      if (event.key === "ArrowDown") to = Math.min(to, links.length - 1);
    }
    if (links[to]) {
      event.preventDefault();
      links[to].focus();
    }
  }
}

const missing = () => make("span", { class: "missing", text: "the photo cannot be shown" });
const rank = (hit) => make("span", { class: "rank", text: hit.rank });
const score = (hit) => make("span", { class: "score", text: hit.score.toFixed(2), title: `score ${hit.score}` });
