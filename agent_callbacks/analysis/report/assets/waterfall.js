// The waterfall: a treegrid (https://www.w3.org/WAI/ARIA/apg/patterns/treegrid/) that draws only the lines in sight.

const OVERSCAN = 8; // lines drawn beyond either edge, so that a flick shows no gap
const MOST_PRINTED = 500; // lines on paper
const LABEL = 44; // pixels that the label of a moment takes; one at the edge would lose its unit
const SETTLED = 200; // milliseconds without a change after which the elements are put in order
const ZOOM = 0.5;

class Waterfall {
  constructor(element, run, hears) {
    this.element = element;
    this.hears = hears; // {select, window, dismiss, search}: what the page does then
    this.tree = new Tree(run.spans);
    this.window = new TimeWindow(run.duration);
    this.active = 0;
    this.selected = -1;
    this.matches = null;
    this.pool = [];
    this.waiting = false;
    this.build(run);
    this.listen();
    this.measure();
  }

  build(run) {
    this.axis = make("div.cell.axis", { role: "columnheader", "aria-label": "When" });
    const heads = [["name", "Span"], ["number time", "Time"], ["number tokens", "In"], ["number tokens", "Out"], ["number cost", "Cost"]]
      .map(([classes, title]) => make(`div.cell.${classes.replaceAll(" ", ".")}`, { role: "columnheader" }, title));
    this.head = make("div.row.head", { role: "row", "aria-rowindex": 1 }, heads, this.axis);
    this.grid = make("div.ticks", { "aria-hidden": "true" });
    this.body = make("div.lines", { role: "rowgroup" }, make("div.row.under", { "aria-hidden": "true" }, this.grid));
    this.element.replaceChildren(make("div", { role: "rowgroup", class: "headgroup" }, this.head), this.body);
    this.element.classList.toggle("no-tokens", run.spans.every((span) => span.input_tokens === null && span.output_tokens === null));
    this.element.classList.toggle("no-cost", run.spans.every((span) => span.cost === null));
  }

  listen() {
    const { element } = this;
    this.abort = new AbortController();
    const on = (target, event, does, options = {}) => target.addEventListener(event, does, { signal: this.abort.signal, ...options });
    on(element, "scroll", () => this.later(), { passive: true });
    on(element, "keydown", (event) => this.key(event));
    on(this.body, "click", (event) => this.click(event));
    on(this.body, "dblclick", (event) => { const place = placeOf(event); if (place >= 0) this.zoomTo(place); });
    on(window, "beforeprint", () => this.drawForPaper());
    on(window, "afterprint", () => this.later());
    on(element, "wheel", (event) => this.wheel(event), { passive: false });
    this.resized = new ResizeObserver(() => this.measure());
    this.resized.observe(element);
  }

  close() {
    this.abort.abort();
    this.resized.disconnect();
    clearTimeout(this.settling);
  }

  measure() {
    this.rowHeight = parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 28;
    this.headHeight = this.head.offsetHeight;
    this.redraw();
  }

  // What is drawn changed: the lines, the window or a state.
  redraw() {
    this.element.setAttribute("aria-rowcount", this.tree.lines.length + 1);
    this.body.style.height = `${this.tree.lines.length * this.rowHeight}px`;
    this.drawAxis();
    this.later();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / this.rowHeight) - OVERSCAN);
    const last = Math.min(this.tree.lines.length, Math.ceil((scrollTop + clientHeight) / this.rowHeight) + OVERSCAN);
    this.drawLines(first, last);
    const line = this.tree.lineOf.get(this.active);
    if (line !== undefined && line >= first && line < last) this.element.setAttribute("aria-activedescendant", `row-${this.active}`);
    else this.element.removeAttribute("aria-activedescendant");
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.order(), SETTLED);
  }

  // Rows that are used again stand anywhere among the elements; who is read to, and paper, gets them from the top.
  order() {
    const rows = this.pool.filter((row) => row.used).sort((one, other) => one.line - other.line).map((row) => row.element);
    const follows = (row, at) => at === 0 || rows[at - 1].compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (!rows.every(follows)) this.body.append(...rows);
  }

  // Paper does not scroll: it gets all lines, in their order.
  drawForPaper() {
    const left = this.tree.lines.length - MOST_PRINTED;
    if (left > 0) this.element.dataset.left = `and ${counted(left, "more line")}, on the screen only`;
    else delete this.element.dataset.left;
    this.drawLines(0, Math.min(this.tree.lines.length, MOST_PRINTED));
    this.order();
  }

  drawLines(first, last) {
    while (this.pool.length < last - first) this.grow();
    for (const row of this.pool) row.used = false;
    for (let line = first; line < last; line++) {
      const row = this.pool[line % this.pool.length];
      row.used = true;
      row.element.hidden = false;
      row.show(this, line, this.rowHeight);
    }
    for (const row of this.pool) if (!row.used) this.rest(row);
  }

  // One more row; which line goes to which row depends on how many there are, so all rest.
  grow() {
    const row = new Row();
    this.pool.forEach((other) => this.rest(other));
    this.pool.push(row);
    this.body.append(row.element);
  }

  rest(row) {
    row.element.hidden = true;
    row.element.removeAttribute("id");
    row.place = -1;
  }

  drawAxis() {
    const ticks = this.window.ticks(Math.max(2, Math.floor(this.axis.clientWidth / 90)));
    const at = (element, moment) => {
      element.style.left = `${this.window.place(moment) * 100}%`;
      return element;
    };
    const told = (moment) => ((1 - this.window.place(moment)) * this.axis.clientWidth < LABEL ? "" : this.window.label(moment));
    this.axis.replaceChildren(...ticks.map((moment) => at(make("span.tick", {}, told(moment)), moment)));
    this.grid.replaceChildren(...ticks.map((moment) => at(make("i"), moment)));
    this.hears.window(this.window);
  }

  // --- moving -------------------------------------------------------------------------------------------------------
  go(place, { select = false } = {}) {
    if (!this.tree.lineOf.has(place)) this.tree.reveal(place);
    this.active = place;
    if (select || this.selected >= 0) this.select(place);
    this.scrollTo(this.tree.lineOf.get(place));
    this.redraw();
  }

  select(place) {
    this.selected = place;
    this.hears.select(place);
  }

  unselect() {
    this.selected = -1;
    this.redraw();
  }

  scrollTo(line) {
    const top = line * this.rowHeight;
    const height = this.element.clientHeight - this.headHeight;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + this.rowHeight > this.element.scrollTop + height) this.element.scrollTop = top + this.rowHeight - height;
  }

  move(lines) {
    const from = this.tree.lineOf.get(this.active) ?? 0;
    const line = Math.max(0, Math.min(this.tree.lines.length - 1, from + lines));
    if (this.tree.lines.length) this.go(this.tree.lines[line]);
  }

  fold(place, open) {
    this.tree.setOpen(place, open);
    this.redraw();
  }

  right() {
    if (this.tree.hasChildren(this.active) && !this.tree.isOpen(this.active)) this.fold(this.active, true);
    else if (this.tree.hasChildren(this.active)) this.move(1);
  }

  left() {
    const { parent } = this.tree.spans[this.active];
    if (this.tree.hasChildren(this.active) && this.tree.isOpen(this.active)) this.fold(this.active, false);
    else if (parent >= 0) this.go(parent);
  }

  // --- time ---------------------------------------------------------------------------------------------------------
  zoom(factor, around) {
    this.window.zoom(factor, around);
    this.redraw();
  }

  pan(share) {
    this.window.pan(share);
    this.redraw();
  }

  whole() {
    this.window.reset();
    this.redraw();
  }

  zoomTo(place) {
    const span = this.tree.spans[place];
    const length = Math.max((span.end ?? span.begin) - span.begin, this.window.whole / 1e4);
    this.window.set(span.begin - length * 0.05, span.begin + length * 1.05);
    this.redraw();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { left, width } = this.axis.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.window.from + share * this.window.length);
  }

  // --- hands --------------------------------------------------------------------------------------------------------
  click(event) {
    const place = placeOf(event);
    if (place < 0) return;
    if (event.target.closest(".twisty") && this.tree.hasChildren(place)) {
      this.active = place;
      this.fold(place, !this.tree.isOpen(place));
    } else this.go(place, { select: true });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor((this.element.clientHeight - this.headHeight) / this.rowHeight) - 1);
    const does = {
      ArrowDown: () => this.move(1), ArrowUp: () => this.move(-1),
      ArrowRight: () => (event.shiftKey ? this.pan(0.2) : this.right()),
      ArrowLeft: () => (event.shiftKey ? this.pan(-0.2) : this.left()),
      Home: () => this.move(-Infinity), End: () => this.move(Infinity),
      PageDown: () => this.move(page), PageUp: () => this.move(-page),
      Enter: () => this.go(this.active, { select: true }), " ": () => this.go(this.active, { select: true }),
      Escape: () => this.hears.dismiss(),
      "+": () => this.zoom(ZOOM), "=": () => this.zoom(ZOOM), "-": () => this.zoom(1 / ZOOM), 0: () => this.whole(),
      z: () => this.zoomTo(this.active), "/": () => this.hears.search(),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }
}

function placeOf(event) {
  const row = event.target.closest("[data-place]");
  return row ? Number(row.dataset.place) : -1;
}
