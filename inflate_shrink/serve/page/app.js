// The page: what a person asks goes to the service, and its answers are shown.

import * as address from "./address.js";
import * as api from "./api.js";
import { Ways, recalls, theme } from "./controls.js";
import { Detail } from "./detail.js";
import { count, element, icon, make, milliseconds } from "./dom.js";
import { takePhotos } from "./photo.js";
import { Results } from "./results.js";

const PAUSE = 120, SLOW = 300, VERY_SLOW = 4000, PAGE = 24; // ms after a key, ms, ms, hits

let about, ways, shown = address.read(), photos = []; // photos: File objects of this visit, by the number in history.state
let asking = new AbortController(), retrying = 0, failed = 0, holds = "images", more = false;
let settled = true; // whether what is typed next is another step for the back button

const results = new Results(element("hits"), {
  open: (hit) => (holds === "captions" ? searchCaption(hit) : openPhoto(hit.id)),
  address: (hit) => address.write({ ...shown, photo: hit.id }),
  leave: () => element("query").focus(),
});
const detail = new Detail(element("detail"), {
  close: closePhoto,
  step: (by) => { const hit = results.hits[place() + by]; if (hit && place() >= 0) move({ photo: hit.id }, false, history.state); },
  similar: (id) => move({ query: "", like: id, photo: "", view: "", way: wayFor("by_like").way }, true),
  captions: (id) => move({ query: "", like: id, photo: "", view: "", way: captionsWay().way }, true),
  view: (view) => move({ view: view === "match" ? "" : view }, false, history.state),
});

// --- what can be asked

const way = () => about.ways.find((one) => one.way === shown.way) || about.ways[0];
const captionsWay = () => about.ways.find((one) => one.holds === "captions");
const can = (one, what) => (what === "by_like" ? one.holds === "images" : one[what]);
// The way that is chosen, or the first that can do it.
const wayFor = (what) => (can(way(), what) ? way() : about.ways.find((one) => can(one, what)));
const photoGiven = () => photos[history.state?.photo];
const question = () => {
  const photo = photoGiven();
  return photo ? { photo } : shown.like ? { like: shown.like } : shown.query.trim() ? { query: shown.query.trim() } : null;
};

// --- moving: everything a person does changes what is shown, and its address

function move(change, push, note = null) {
  const before = shown;
  if (push) settled = true;
  shown = { ...shown, ...change };
  address.go(shown, push, note);
  render(before);
}

// Shows what the address says: searches anew where the question changed.
function render(before = {}) {
  const asked = ["query", "way", "recall", "contains", "like"].some((key) => before[key] !== shown[key]) || render.photo !== photoGiven();
  render.photo = photoGiven();
  if (element("query").value !== shown.query) element("query").value = shown.query;
  if (element("contains").value !== shown.contains) element("contains").value = shown.contains;
  element("recall").value = shown.recall;
  element("recall-label").hidden = !way().recall;
  ways.choose(way().way);
  renderAsked();
  document.title = [shown.photo || shown.query || (shown.like && `like ${shown.like}`), about.title].filter(Boolean).join(" · ");
  if (asked) ask(0);
  renderDetail();
}

function renderAsked() {
  const box = element("asked"), photo = photoGiven();
  box.hidden = !photo && !shown.like;
  if (render.thumbnail) URL.revokeObjectURL(render.thumbnail);
  render.thumbnail = photo ? URL.createObjectURL(photo) : "";
  if (box.hidden) return box.replaceChildren();
  const source = render.thumbnail || api.photoAddress(shown.like, wayFor("by_like")?.way || way().way, "small");
  box.replaceChildren(
    make("img", { src: source, alt: "", error: (event) => event.target.remove() }),
    make("span", {}, make("b", { text: photo ? photo.name || "photo" : shown.like }), make("small", { text: way().holds === "captions" ? "captions that fit this photo" : "photos like this one" })),
    make("button", { class: "quiet", type: "button", "aria-label": "Stop searching by this photo", title: "Stop searching by this photo", click: () => { move({ like: "" }, true); element("query").focus(); } }, icon("m5 5 10 10M15 5 5 15")));
}

// --- asking

async function ask(offset) {
  clearTimeout(retrying);
  asking.abort(); // an older answer is never shown
  asking = new AbortController();
  const { signal } = asking, asked = question(), list = element("hits");
  if (!asked) return welcome();
  const slow = [setTimeout(() => busy("Searching…"), SLOW), setTimeout(() => busy("Still searching: the service has much to do…"), VERY_SLOW)];
  function busy(text) {
    document.body.classList.add("searching");
    if (!offset) list.classList.add("old");
    element("status").textContent = text;
  }
  try {
    const settings = { way: way().way, k: PAGE, offset, contains: shown.contains.trim() };
    if (shown.recall && way().recall) settings.recall = Number(shown.recall);
    const answer = await api.search({ ...asked, ...settings }, signal);
    showAnswer(answer, offset);
  } catch (error) {
    if (error.name !== "AbortError") showFailure(error, () => ask(offset));
  } finally {
    slow.forEach(clearTimeout);
    if (signal === asking.signal) document.body.classList.remove("searching");
  }
}

function showAnswer(answer, offset) {
  const from = results.hits.length;
  quiet();
  holds = way().holds;
  element("welcome").hidden = true;
  results.show(answer.hits, holds, offset > 0);
  more = answer.more;
  element("more").hidden = !more;
  ways.took(answer.way, answer.times);
  element("status").textContent = sentence(answer);
  element("status").append(...answer.notes.map((text) => make("span", { class: "note", text })));
  if (offset) results.focus(from);
  else renderDetail();
}

function sentence(answer) {
  const what = holds === "captions" ? "caption" : "photo", found = results.hits.length, { encode_ms: encode, search_ms: search } = answer.times;
  if (!found) return shown.contains ? `No ${what} here contains “${shown.contains.trim()}”.` : `No ${what} found.`;
  const times = `${!encode ? "" : `encoded in ${milliseconds(encode)} ms, `}searched in ${milliseconds(search)} ms`;
  return `${answer.more ? `The best ${found}` : found} of ${count(answer.items, what)}, ${times}`;
}

function quiet() {
  clearTimeout(retrying);
  failed = 0;
  element("failure").hidden = true;
  element("hits").classList.remove("old");
}

// Says what failed. Busy or gone: `again` is called by itself, later each time; the hits of before stay, faint.
function showFailure(error, again) {
  const box = element("failure");
  element("hits").classList.add("old");
  element("status").textContent = "";
  element("welcome").hidden = true;
  box.hidden = false;
  if (error.kind === "refused") return box.replaceChildren(make("p", { text: error.message }));
  failed += 1;
  let left = Math.min(30, (error.wait || 2) * 2 ** (failed - 1));
  const timer = make("span", { "aria-hidden": "true" });
  box.replaceChildren(make("p", { text: error.message }), make("p", {}, make("button", { type: "button", text: "Try now", click: again }), timer));
  const tick = () => {
    if (left <= 0) return again();
    timer.textContent = ` again in ${left} s`;
    left -= 1;
    retrying = setTimeout(tick, 1000);
  };
  tick();
}

function welcome() {
  quiet();
  results.clear();
  element("more").hidden = true;
  element("status").textContent = "";
  document.body.classList.remove("searching");
  const box = element("welcome"), text = wayFor("by_text"), photo = wayFor("by_photo");
  const hint = !photo ? "" : photo.holds === "captions" ? "Drop a photo anywhere on the page to find captions that fit it." : "Drop a photo anywhere on the page to find photos like it.";
  box.hidden = false;
  box.replaceChildren(
    make("h2", { text: text ? "Describe what the photo shows." : photo ? "Drop a photo." : "These captions are found by a photo of their data set." }),
    make("p", { class: "soft", text: [text && "Photos are ranked while you type.", hint || (!text && "Its id goes into the address of this page: ?like=ID")].filter(Boolean).join(" ") }));
  if (text && about.examples.length) box.append(make("ul", { "aria-label": "Examples" }, ...about.examples.slice(0, 5).map((example) =>
    make("li", {}, make("a", { href: address.write({ ...shown, query: example }), text: example, click: (event) => { event.preventDefault(); type(example, true); settled = true; } })))));
}

// --- what a person does

function type(query, push = settled) {
  const change = { query, contains: element("contains").value, like: "" };
  if (!way().by_text && wayFor("by_text")) change.way = wayFor("by_text").way;
  move(change, push || Boolean(shown.like || photoGiven()));
  settled = false;
}

function openPhoto(id) {
  move({ photo: id }, true, { ...history.state, opened: true });
}

function closePhoto() {
  if (history.state?.opened) history.back();
  else move({ photo: "", view: "" }, false, history.state);
}

function searchCaption(hit) {
  const text = wayFor("by_text");
  if (text) move({ query: hit.text, like: "", way: text.way }, true);
}

function givePhoto(file) {
  photos.push(file);
  move({ query: "", like: "", photo: "", view: "", way: wayFor("by_photo").way }, true, { photo: photos.length - 1 });
}

const place = () => results.hits.findIndex((hit) => hit.id === shown.photo);

function renderDetail() {
  if (!shown.photo) {
    if (!detail.open) return;
    const last = render.opened;
    detail.hide();
    return results.focus(Math.max(0, results.hits.findIndex((hit) => hit.id === last)));
  }
  render.opened = shown.photo;
  const at = place(), explaining = wayFor("match"), chosen = explaining === way() ? "" : explaining && `As ${explaining.label} sees it: in ${way().label} words choose no regions.`;
  const photoWay = (way().holds === "images" ? way() : wayFor("by_like") || way()).way;
  detail.show({
    id: shown.photo, alt: results.hits[at]?.alt, query: shown.query.trim(), view: shown.view, photoWay,
    way: explaining ? { way: explaining.way, note: chosen } : null, attention: wayFor("attention")?.way,
    similar: Boolean(wayFor("by_like")), captions: Boolean(captionsWay()),
    place: at < 0 ? "" : `${at + 1} of ${results.hits.length}${more ? " shown" : ""}`, first: at <= 0, last: at < 0 || at >= results.hits.length - 1,
  });
}

function listen() {
  const query = element("query"), contains = element("contains");
  let waiting = 0;
  const typed = () => {
    clearTimeout(waiting);
    if (query.value !== shown.query) type(query.value);
    else if (contains.value !== shown.contains) move({ contains: contains.value }, false, history.state);
  };
  for (const field of [query, contains]) field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(typed, PAUSE); });
  query.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { event.preventDefault(); results.focus(0); }
    if (event.key === "Escape" && query.value) { event.preventDefault(); query.value = ""; type(""); }
  });
  element("form").addEventListener("submit", (event) => {
    event.preventDefault();
    typed();
    settled = true;
  });
  element("more").addEventListener("click", () => ask(results.hits.length));
  element("home").addEventListener("click", (event) => { event.preventDefault(); move({ query: "", like: "", photo: "", view: "", contains: "" }, true); query.focus(); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || detail.open) return;
    if (event.key === "/" && !event.target.matches("input, select, textarea")) { event.preventDefault(); query.focus(); query.select(); }
    if (event.key === "Escape" && event.target.matches(".hit")) query.focus();
  });
  window.addEventListener("popstate", () => { const before = shown; shown = address.read(); settled = true; render(before); });
  window.addEventListener("online", () => { if (!element("failure").hidden) ask(0); });
  takePhotos({
    given: givePhoto, limit: about.limits.photo_bytes,
    refused: (text) => showFailure(new api.Failure("refused", text)),
    hint: () => { const one = wayFor("by_photo"); return !one ? "" : one.holds === "captions" ? "Drop the photo to find captions that fit it" : "Drop the photo to find photos like it"; },
    why: () => "No index here is searched by a photo: that takes an index of captions, or one built with --photos.",
  });
}

async function start() {
  element("app").hidden = false;
  try {
    about = await api.about();
  } catch (error) {
    return showFailure(error, start);
  }
  quiet();
  const most = new Map([...about.ways].sort((one, other) => one.items - other.items).map((one) => [one.holds, one.items]));
  element("home").textContent = about.title;
  element("about").textContent = [...most].map(([what, number]) => count(number, what.slice(0, -1))).join(", ");
  element("choose").hidden = !about.ways.some((one) => one.by_photo);
  ways = new Ways(about.ways, (name) => move({ way: name }, true, history.state));
  recalls((recall) => move({ recall }, true, history.state));
  listen();
  render();
  if (!shown.photo && matchMedia("(hover: hover)").matches) element("query").focus();
}

theme();
start();
