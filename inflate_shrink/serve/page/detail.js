// One photo, large: which region each word chose, and attention.

import { attention, match, photoAddress } from "./api.js";
import { showAttention } from "./attention.js";
import { element, icon, make, shape } from "./dom.js";
import { showMatch } from "./match.js";

const TABS = [["match", "Words"], ["text", "Text attention"], ["image", "Image attention"]];

export class Detail {
  // close(), step(by), similar(id), captions(id), view(name): what a person asked for.
  constructor(dialog, asks) {
    Object.assign(this, { dialog, asks, shown: null, stop: () => {}, request: new AbortController() });
    this.#build();
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); asks.close(); });
    dialog.addEventListener("click", (event) => event.target === dialog && asks.close()); // beside the panel
    dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by && !event.target.matches("select, [role=tab]") && !event.altKey && !event.ctrlKey && !event.metaKey) asks.step(by);
    });
  }

  get open() {
    return this.dialog.open;
  }

  // Shows a photo. `shown`: id, alt, query, view (a tab), way (that explains, or null), photoWay, attention, captions,
  // place ("3 of 24", or ""), first, last.
  show(shown) {
    const before = this.shown;
    this.shown = shown;
    this.title.textContent = shown.id;
    this.place.textContent = shown.place;
    this.previous.disabled = shown.first;
    this.next.disabled = shown.last;
    this.similar.hidden = !shown.similar;
    this.captions.hidden = !shown.captions;
    const full = photoAddress(shown.id, shown.photoWay, "full");
    if (this.original.getAttribute("href") !== full) this.#photo(full);
    this.photo.alt = shown.alt || shown.id;
    this.original.href = full;
    if (!this.open) this.dialog.showModal();
    if (!before || before.id !== shown.id) this.dialog.scrollTop = this.side.scrollTop = 0;
    const asked = ({ id, query, view, way, attention }) => JSON.stringify([id, query, view, way, attention]);
    if (!before || asked(before) !== asked(shown)) this.#tab(shown.view || "match");
  }

  hide() {
    this.request.abort();
    this.stop();
    this.shown = null;
    this.original.removeAttribute("href");
    if (this.open) this.dialog.close();
  }

  #build() {
    const button = (label, path, click, properties = {}) => make("button", { class: "quiet", type: "button", "aria-label": label, title: label, click, ...properties }, icon(path));
    this.title = make("h2", { id: "detail-title", tabindex: -1, autofocus: true });
    this.place = make("span", { class: "soft" });
    this.previous = button("Photo before", "m12 4-6 6 6 6", () => this.asks.step(-1));
    this.next = button("Next photo", "m8 4 6 6-6 6", () => this.asks.step(1));
    this.photo = make("img", { alt: "" });
    this.overlay = shape("svg", { preserveAspectRatio: "xMidYMin meet", role: "group", "aria-label": "Regions that words chose" });
    this.moved = make("p", { class: "moved", hidden: true });
    this.stage = make("div", { class: "stage" }, this.photo, this.moved, this.overlay);
    this.photo.addEventListener("load", () => this.stage.classList.toggle("coarse", this.photo.naturalWidth < 300));
    this.photo.addEventListener("error", () => {
      this.stage.classList.add("empty");
      this.moved.hidden = false;
      this.moved.textContent = "The photo's file has moved or cannot be read.";
    });
    this.tabs = TABS.map(([name, text]) => make("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel", text, click: () => this.asks.view(name),
      keydown: (event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key], seen = this.tabs.filter((tab) => !tab.hidden);
        if (by) { event.preventDefault(); const to = seen[(seen.indexOf(event.target) + by + seen.length) % seen.length]; to.focus(); to.click(); }
      },
    }));
    this.panel = make("div", { id: "panel", role: "tabpanel" });
    this.reading = make("p", { class: "reading", role: "status" });
    this.similar = make("button", { type: "button", text: "Similar photos", click: () => this.asks.similar(this.shown.id) });
    this.captions = make("button", { type: "button", text: "Captions that fit", click: () => this.asks.captions(this.shown.id) });
    this.original = make("a", { class: "button", text: "Photo alone", target: "_blank", rel: "noopener" });
    this.side = make("div", { class: "side" }, make("div", { role: "tablist", "aria-label": "What to see" }, ...this.tabs), this.reading, this.panel);
    this.dialog.append(make("div", { class: "sheet" },
      make("div", { class: "top" }, this.title, this.place, make("span", { class: "tools" }, this.similar, this.captions, this.original),
        make("span", { class: "steps" }, this.previous, this.next, button("Close", "m5 5 10 10M15 5 5 15", () => this.asks.close()))),
      make("div", { class: "body" }, this.stage, this.side)));
  }

  #photo(address) {
    this.stage.classList.remove("empty");
    this.moved.hidden = true;
    this.overlay.replaceChildren();
    this.photo.src = address;
  }

  async #tab(name) {
    const { id, query, way, attention: attentionWay } = this.shown;
    const has = { match: true, text: Boolean(attentionWay && query), image: Boolean(attentionWay) };
    if (!has[name]) name = "match";
    this.tabs.forEach((tab, number) => {
      const mine = TABS[number][0], selected = mine === name;
      tab.hidden = !has[mine];
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
    });
    this.panel.setAttribute("aria-labelledby", `tab-${name}`);
    this.dialog.classList.toggle("wide", name !== "match");
    this.request.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    this.stop();
    this.stop = () => {};
    this.reading.textContent = "";
    if (name !== "match") this.overlay.replaceChildren();
    const nothing = name === "match" && this.#nothing(query, way);
    if (nothing) {
      this.overlay.replaceChildren();
      this.panel.replaceChildren(make("p", { class: "soft", text: nothing }));
      return;
    }
    const waiting = setTimeout(() => this.panel.replaceChildren(make("p", { class: "soft", text: "One moment…" })), 250);
    try {
      if (name === "match") {
        const found = await match(id, way.way, query, signal);
        clearTimeout(waiting);
        this.stop = showMatch(found, this.overlay, this.panel, this.reading);
        if (way.note) this.panel.prepend(make("p", { class: "soft", text: way.note }));
      } else {
        const found = await attention(id, attentionWay, query, name, signal);
        clearTimeout(waiting);
        this.stop = showAttention(found, this.panel, this.reading);
      }
    } catch (error) {
      if (error.name === "AbortError") return clearTimeout(waiting);
      clearTimeout(waiting);
      this.overlay.replaceChildren();
      const again = error.kind === "refused" ? null : make("button", { type: "button", text: "Try again", click: () => this.#tab(name) });
      this.panel.replaceChildren(make("p", { class: "notice", role: "alert", text: error.message }), again || "");
    }
  }

  #nothing(query, way) {
    if (!query) return "Search by words to see which region of the photo each word chooses.";
    if (!way) return "No way of this index shows which region a word chose: where a text and an image are one vector each, words choose nothing.";
    return "";
  }
}
