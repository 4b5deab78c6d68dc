// A photo as the query: chosen, dropped or pasted.

import { element } from "./dom.js";

// Calls given(file) with a photo, refused(sentence) with what cannot be one. `hint()`: what dropping finds, or "" where
// nothing here is searched by a photo; `why()` says that. `limit`: bytes at most.
export function takePhotos({ given, refused, hint, why, limit }) {
  const veil = element("drop"), input = element("file");
  let depth = 0; // dragenter and dragleave come for every element on the way

  function take(file) {
    if (!file) return;
    if (!hint()) return refused(why());
    if (!/^image\//.test(file.type || "image/")) return refused(`${file.name} is no photo; drop a JPEG, PNG or WebP file.`);
    if (file.size > limit) return refused(`${file.name} has ${megabytes(file.size)} MB; the service takes ${megabytes(limit)} MB at most.`);
    given(file);
  }
  const files = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  const veiled = (on) => {
    veil.hidden = !on;
    veil.firstElementChild.textContent = hint() || why();
  };

  document.addEventListener("dragenter", (event) => { if (files(event)) { event.preventDefault(); depth += 1; veiled(true); } });
  document.addEventListener("dragover", (event) => { if (files(event)) event.preventDefault(); });
  document.addEventListener("dragleave", (event) => { if (files(event)) { depth = Math.max(0, depth - 1); if (!depth) veiled(false); } });
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault(); // the browser would leave the page for the photo
    depth = 0;
    veiled(false);
    take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files || [];
    if (file) { event.preventDefault(); take(file); }
  });
  input.addEventListener("change", () => { take(input.files[0]); input.value = ""; });
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
