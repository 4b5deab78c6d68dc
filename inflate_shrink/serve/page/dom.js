// Elements, built without ever reading text as markup.

const SVG = "http://www.w3.org/2000/svg";

export const element = (id) => document.getElementById(id);

// Returns a new element; `text` is its text, functions are its listeners ("click": ...), the rest its attributes.
// An attribute of false or null is left out, of true is empty.
export function make(name, properties = {}, ...children) {
  return dress(document.createElement(name), properties, children);
}

export function shape(name, properties = {}, ...children) {
  return dress(document.createElementNS(SVG, name), properties, children);
}

function dress(made, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (key === "text") made.textContent = value;
    else if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Returns an icon of lines in a square of 20.
export function icon(path) {
  return shape("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, shape("path", { d: path }));
}

// Nine strong colours, then nine lighter ones: those of tools/visualize.py.
const COLOURS = (
  "#1f77b4 #ff7f0e #2ca02c #d62728 #9467bd #8c564b #e377c2 #17becf #bcbd22" +
  " #6baed6 #fdae6b #74c476 #fb6a4a #b39ddb #bc8f7f #f4a6d7 #7fdbe6 #d9d95c"
).split(" ");
export const UNSEEN = "#808080"; // what no word that names something chose, or is no region

export const colour = (number) => COLOURS[number % COLOURS.length];

// Returns black or white, whichever is read better on a colour #rrggbb (WCAG's relative luminance).
export function inkOn(background) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(background.slice(at, at + 2), 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

export const milliseconds = (time) => (time < 10 ? time.toFixed(1) : Math.round(time).toLocaleString("en"));
