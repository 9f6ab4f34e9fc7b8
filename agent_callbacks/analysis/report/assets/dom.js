// Elements, made without ever parsing text as markup: what a span carries is text and stays text.

const SVG = "http://www.w3.org/2000/svg";
const HTML = "http://www.w3.org/1999/xhtml";

const byId = (id) => document.getElementById(id);

// make("td.number", {title: "…"}, child, "text", …): attributes by name, "on…" functions as listeners.
function make(selector, properties = {}, ...children) {
  return filled(document.createElementNS(HTML, selector.split(".")[0]), selector, properties, children);
}

function drawn(selector, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, selector.split(".")[0]), selector, properties, children);
}

function filled(element, selector, properties, children) {
  const [, ...classes] = selector.split(".");
  element.classList.add(...classes);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function button(text, action, properties = {}) {
  return make("button.button", { type: "button", ...properties, onclick: action }, text);
}

// Text that may be of any script: its direction does not reach its neighbours.
const isolated = (text) => make("bdi", {}, text);

function table(label, titles, lines) {
  const heads = titles.map(([title, numeric]) => make(numeric ? "th.number" : "th", { scope: "col" }, title));
  const rows = lines.map((cells) =>
    make("tr", {}, cells.map((cell, place) =>
      place === 0 ? make("th", { scope: "row" }, cell) : make(titles[place][1] ? "td.number" : "td", {}, cell))));
  return make("div.scroll", { tabindex: 0, role: "region", "aria-label": label },
    make("table.table", {}, make("thead", {}, make("tr", {}, heads)), make("tbody", {}, rows)));
}

// What a section cannot show, in sentences.
function unseen(run, ...sections) {
  const found = sections.flatMap((section) => run.missing[section] ?? []);
  if (!found.length) return [];
  return [make("details.unseen", {}, make("summary", {}, "What the data cannot show"), make("ul", {}, found.map((text) => make("li", {}, isolated(text)))))];
}
