// What the page shows, in its address: a link opens the same, and the back button goes where one was.

const NAMES = { query: "q", way: "way", recall: "recall", contains: "contains", like: "like", photo: "photo", view: "view" };

export function read() {
  const parameters = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, parameters.get(name) || ""]));
}

// Returns the address of a view; what is empty is left out.
export function write(shown) {
  const parameters = new URLSearchParams();
  for (const [key, name] of Object.entries(NAMES)) if (shown[key]) parameters.set(name, shown[key]);
  const text = parameters.toString();
  return text ? `?${text}` : "./";
}

// Moves to a view: `push` makes a step that the back button takes back. `note` is kept with the step.
export function go(shown, push, note = null) {
  const address = write(shown);
  if (push) history.pushState(note, "", address);
  else history.replaceState(note, "", address);
}
