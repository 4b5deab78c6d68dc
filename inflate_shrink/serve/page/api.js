// Requests to the service, and their failures as sentences.

export class Failure extends Error {
  // kind: "busy" (ask again in `wait` seconds), "gone" (nobody answered) or "refused" (asking again does not help).
  constructor(kind, sentence, status = 0, wait = 0) {
    super(sentence);
    Object.assign(this, { kind, status, wait });
  }
}

const GONE = "The search service does not answer. Is it still running?";

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("gone", GONE);
  }
  if (answer.ok) {
    try {
      return await answer.json();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure("gone", GONE); // it ended in the middle of its answer
    }
  }
  const sentence = await answer.json().then((body) => body.error, () => null);
  if (answer.status === 503) {
    const wait = Math.min(30, Math.max(1, Number(answer.headers.get("Retry-After")) || 1));
    throw new Failure("busy", sentence || "The search service is busy.", 503, wait);
  }
  throw new Failure("refused", sentence || `The search service refused this request (${answer.status}).`, answer.status);
}

const post = (path, body, signal, headers = {}) => ask(path, { method: "POST", body, signal, headers });

export const about = () => ask("about");

// Asks for hits. `asked`: a query, or `photo` (a File) or `like` (an id); all with way, k, offset, contains.
export function search({ query, photo, like, ...settings }, signal) {
  if (!photo && !like) return post("search", JSON.stringify({ query, ...settings }), signal, { "Content-Type": "application/json" });
  const form = new FormData();
  if (photo) form.append("photo", photo, photo.name || "photo");
  else form.append("like", like);
  for (const [key, value] of Object.entries(settings)) if (value !== null && value !== undefined && value !== "") form.append(key, value);
  return post("search/image", form, signal);
}

const path = (id) => id.split("/").map(encodeURIComponent).join("/"); // ids may hold slashes

const detail = (what, id, parameters, signal) => ask(`${what}/${path(id)}?${new URLSearchParams(parameters)}`, { signal });

export const match = (id, way, query, signal) => detail("match", id, { way, query }, signal);

export const attention = (id, way, query, side, signal) => detail("attention", id, { way, query, side }, signal);

export const photoAddress = (id, way, size) => `images/${path(id)}?${new URLSearchParams({ way, size })}`;
