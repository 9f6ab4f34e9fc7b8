// The whole run in one strip, the window as a frame over it; dragging chooses a window.

const STRIP = { width: 1000, height: 44 };
const LANES = 10;

class Overview {
  constructor(element, spans, whole, chosen) {
    this.whole = Math.max(whole, 1e-9);
    this.frame = make("div.frame");
    this.brush = make("div.brush", { hidden: true });
    element.replaceChildren(this.drawing(spans), this.frame, this.brush);
    element.onpointerdown = (event) => this.drag(element, event, chosen);
  }

  // One path a kind: five thousand spans are eight elements.
  drawing(spans) {
    const deepest = spans.reduce((depth, span) => Math.max(depth, span.depth), 0);
    const lanes = Math.min(LANES, deepest + 1);
    const height = STRIP.height / lanes;
    const paths = new Map();
    for (const span of spans) {
      const from = (span.begin / this.whole) * STRIP.width;
      const width = Math.max(1.5, (((span.end ?? span.begin) - span.begin) / this.whole) * STRIP.width);
      const top = Math.min(span.depth, lanes - 1) * height + 0.5;
      const piece = `M${from.toFixed(1)} ${top.toFixed(1)}h${width.toFixed(1)}v${(height - 1).toFixed(1)}h-${width.toFixed(1)}z`;
      const kind = span.failed ? "failed" : KINDS[span.kind][0];
      paths.set(kind, (paths.get(kind) ?? "") + piece);
    }
    return drawn("svg", { viewBox: `0 0 ${STRIP.width} ${STRIP.height}`, preserveAspectRatio: "none" },
      [...paths].map(([kind, d]) => drawn(`path.k-${kind}`, { d })));
  }

  show(window) {
    this.frame.hidden = !window.zoomed;
    this.frame.style.left = `${(window.from / this.whole) * 100}%`;
    this.frame.style.width = `${(window.length / this.whole) * 100}%`;
  }

  drag(element, event, chosen) {
    if (event.button !== 0) return;
    const { left, width } = element.getBoundingClientRect();
    const share = (moved) => Math.min(1, Math.max(0, (moved.clientX - left) / width));
    const start = share(event);
    element.setPointerCapture(event.pointerId);
    element.onpointermove = (moved) => {
      const [from, to] = [start, share(moved)].sort((one, other) => one - other);
      this.brush.hidden = false;
      this.brush.style.left = `${from * 100}%`;
      this.brush.style.width = `${(to - from) * 100}%`;
    };
    element.onpointerup = element.onpointercancel = (ended) => {
      element.onpointermove = element.onpointerup = element.onpointercancel = null;
      this.brush.hidden = true;
      const [from, to] = [start, share(ended)].sort((one, other) => one - other);
      if (ended.type === "pointerup" && to - from > 0.004) chosen(from * this.whole, to * this.whole);
    };
  }
}
