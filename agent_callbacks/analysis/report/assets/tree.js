// Which rows of the tree are open, and so which lines there are to draw.

class Tree {
  constructor(spans) {
    this.spans = spans;
    this.children = spans.map(() => []);
    this.roots = [];
    spans.forEach((span, place) => (span.parent < 0 ? this.roots : this.children[span.parent]).push(place));
    this.closed = new Set();
    this.only = null; // the places to show where a search filters, their ancestors included
    this.lines = [];
    this.lineOf = new Map();
    this.refresh();
  }

  hasChildren(place) { return this.children[place].length > 0; }

  isOpen(place) { return !this.closed.has(place); }

  siblings(place) {
    const parent = this.spans[place].parent;
    return parent < 0 ? this.roots : this.children[parent];
  }

  refresh() {
    this.lines = [];
    let skippedBelow = Infinity;
    this.spans.forEach((span, place) => {
      if (span.depth > skippedBelow) return;
      skippedBelow = Infinity;
      if (this.only && !this.only.has(place)) return;
      this.lines.push(place);
      if (this.closed.has(place)) skippedBelow = span.depth;
    });
    this.lineOf = new Map(this.lines.map((place, line) => [place, line]));
  }

  setOpen(place, open) {
    if (!this.hasChildren(place)) return;
    if (open) this.closed.delete(place);
    else this.closed.add(place);
    this.refresh();
  }

  openAll() {
    this.closed.clear();
    this.refresh();
  }

  // Close what a reader skims: everything below a step, or below a root where there are no steps.
  closeToSteps() {
    const steps = this.spans.some((span) => span.kind === "S");
    this.closed = new Set(this.spans.keys());
    for (const [place, span] of this.spans.entries()) {
      if (!this.hasChildren(place) || (steps && (span.kind === "A" || span.depth === 0))) this.closed.delete(place);
    }
    this.refresh();
  }

  // Open what stands above a place, so that it has a line.
  reveal(place) {
    for (let above = this.spans[place].parent; above >= 0; above = this.spans[above].parent) this.closed.delete(above);
    if (this.only && !this.only.has(place)) this.only = null;
    this.refresh();
  }

  // Show these places and what stands above them; null shows all.
  filter(places) {
    this.only = null;
    if (places) {
      this.only = new Set();
      for (const place of places) {
        for (let at = place; at >= 0 && !this.only.has(at); at = this.spans[at].parent) {
          this.only.add(at);
          this.closed.delete(this.spans[at].parent);
        }
      }
    }
    this.refresh();
  }
}
