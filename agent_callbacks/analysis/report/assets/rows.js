// One line of the waterfall. Lines are few and used again: what is out of sight has no element.

const KINDS = {
  A: ["agent", "Agent run"], S: ["step", "Step"], M: ["model", "Model call"], E: ["model", "Embedding"],
  T: ["tool", "Tool"], R: ["retriever", "Retriever"], C: ["chain", "Chain"], N: ["node", "Graph node"],
  "·": ["foreign", "Other span"],
};

const DEEPEST_INDENT = 14; // levels; what lies deeper keeps that indent

const TOLD_APART = 0.003; // of the window

class Row {
  constructor() {
    this.twisty = make("span.twisty", { "aria-hidden": "true" });
    this.badge = make("span.badge", { role: "img" });
    this.label = make("bdi.label");
    this.below = make("span.below", { role: "img" });
    this.mark = make("bdi.mark");
    this.name = make("div.cell.name", { role: "gridcell" }, this.twisty, this.badge, this.label, this.below, this.mark);
    this.time = make("div.cell.number.time", { role: "gridcell" });
    this.input = make("div.cell.number.tokens", { role: "gridcell" });
    this.output = make("div.cell.number.tokens", { role: "gridcell" });
    this.cost = make("div.cell.number.cost", { role: "gridcell" });
    this.wait = make("i.wait");
    this.body = make("i.body");
    this.paths = [];
    this.bar = make("div.cell.bar", { role: "gridcell" }, this.wait, this.body);
    this.element = make("div.row", { role: "row" }, this.name, this.time, this.input, this.output, this.cost, this.bar);
    this.place = -1;
  }

  show(view, line, rowHeight) {
    const place = view.tree.lines[line];
    const span = view.tree.spans[place];
    this.element.style.transform = `translateY(${line * rowHeight}px)`;
    const fresh = place !== this.place;
    this.line = line;
    if (fresh) this.fill(place, span, view.tree);
    this.state(view, place, line);
    if (fresh || this.drawn !== view.window.changes) this.draw(span, view.window);
  }

  fill(place, span, tree) {
    this.place = place;
    const [kind, title] = KINDS[span.kind];
    const siblings = tree.siblings(place);
    this.element.id = `row-${place}`;
    this.element.dataset.place = place;
    this.element.className = `row k-${kind}`;
    this.element.classList.toggle("failed", span.failed);
    this.element.setAttribute("aria-level", span.depth + 1);
    this.element.setAttribute("aria-setsize", siblings.length);
    this.element.setAttribute("aria-posinset", siblings.indexOf(place) + 1);
    this.name.style.setProperty("--depth", Math.min(span.depth, DEEPEST_INDENT));
    this.badge.textContent = span.kind;
    this.badge.title = this.badge.ariaLabel = title;
    this.label.textContent = this.label.title = span.name;
    this.mark.textContent = span.mark ? `${span.failed ? "✗ " : ""}${span.mark}` : span.end === null ? "never ended" : "";
    this.below.textContent = span.failed_below ? `✗${span.failed_below}` : "";
    this.below.title = this.below.ariaLabel = span.failed_below ? `${counted(span.failed_below, "failure")} below` : "";
    this.time.textContent = span.end === null ? NONE : seconds(span.end - span.begin);
    this.input.textContent = span.input_tokens === null ? "" : tokens(span.input_tokens, span.estimated);
    this.output.textContent = span.output_tokens === null ? "" : tokens(span.output_tokens, span.estimated);
    this.cost.textContent = span.cost === null ? "" : dollars(span.cost);
    this.bar.ariaLabel = `${seconds(span.begin)} to ${span.end === null ? "no end" : seconds(span.end)}${span.critical.length ? ", on the critical path" : ""}`;
  }

  state(view, place, line) {
    const open = view.tree.isOpen(place);
    const folds = view.tree.hasChildren(place);
    this.twisty.textContent = folds ? (open ? "▾" : "▸") : "";
    if (folds) this.element.setAttribute("aria-expanded", open);
    else this.element.removeAttribute("aria-expanded");
    this.element.setAttribute("aria-rowindex", line + 2); // the head is the first
    this.element.setAttribute("aria-selected", place === view.selected);
    this.element.classList.toggle("active", place === view.active);
    this.element.classList.toggle("match", view.matches?.has(place) ?? false);
    this.element.classList.toggle("dim", view.matches ? !view.matches.has(place) : false);
  }

  draw(span, window) {
    const end = span.end ?? span.begin;
    const head = span.first_token === null ? span.begin : Math.min(end, span.first_token);
    lay(this.wait, window, span.begin, head, head > span.begin);
    lay(this.body, window, head, end, true);
    const pieces = merged(span.critical, window);
    while (this.paths.length < pieces.length) this.paths.push(this.bar.appendChild(make("i.path")));
    this.paths.forEach((path, place) => lay(path, window, ...(pieces[place] ?? [0, 0]), place < pieces.length));
    this.drawn = window.changes;
  }
}

// The pieces of the critical path in sight; those that no eye could tell apart are one.
function merged(critical, window) {
  const found = [];
  for (let at = 0; at < critical.length; at += 2) {
    const [from, to] = [critical[at], critical[at + 1]];
    if (to < window.from || from > window.to) continue;
    const last = found.at(-1);
    if (last && from - last[1] < window.length * TOLD_APART) last[1] = to;
    else found.push([from, to]);
  }
  return found;
}

// Put an element where a piece of time lies; one that is out of sight goes.
function lay(element, window, from, to, wanted) {
  const left = Math.max(-0.01, window.place(from));
  const right = Math.min(1.01, window.place(to));
  const seen = wanted && right >= 0 && left <= 1;
  element.hidden = !seen;
  if (!seen) return;
  element.style.left = `${left * 100}%`;
  element.style.width = `${Math.max(0, right - left) * 100}%`;
}
