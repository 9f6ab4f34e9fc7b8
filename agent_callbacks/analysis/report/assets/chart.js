// Stacked bars, one a step. One path a series: two thousand steps are as few elements as ten.

const CHART = { height: 200, left: 48, right: 8, top: 10, bottom: 24, group: 18 };
const WIDEST_BAR = 48;
const WIDEST_SLOT = 110;
const GROUP_GAP = 0.6; // of a bar's room, between the steps of two agent runs

// items: [{title, group, part, values: {series: number}, say}], those of a group side by side; series: [[key, title]]; say(value) writes a number of the axis.
class StackedBars {
  constructor({ label, items, series, say, chosen }) {
    Object.assign(this, { label, items, series, say, chosen, at: -1 });
    this.sums = items.map((item) => series.reduce((sum, [key]) => sum + (item.values[key] ?? 0), 0));
    this.top = niceTop(this.sums.reduce((most, sum) => Math.max(most, sum), 0));
    this.starts = items.map((item, place) => place === 0 || item.group !== items[place - 1].group || item.part !== items[place - 1].part);
    let gaps = -1;
    this.offsets = items.map((_, place) => place + (gaps += this.starts[place] ? 1 : 0) * GROUP_GAP);
    this.groups = gaps + 1;
    this.svg = drawn("svg", { role: "img", "aria-label": label });
    this.said = make("p.readout", { role: "status" });
    this.element = make("div.chart", {
      tabindex: 0, role: "group", "aria-label": `${label}; arrows read the bars, Enter shows the span`,
      onkeydown: (event) => this.key(event), onpointermove: (event) => this.point(this.under(event)),
      onpointerleave: () => this.point(-1), onclick: (event) => this.choose(this.under(event)),
      onblur: () => this.point(-1),
    }, this.svg, this.said);
    this.point(-1);
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.element);
  }

  draw() {
    this.width = Math.max(200, this.element.clientWidth);
    const bottom = CHART.bottom + (this.groups > 1 ? CHART.group : 0);
    const plain = { x: CHART.left, right: this.width - CHART.right, y: CHART.height };
    this.slot = Math.min(WIDEST_SLOT, (plain.right - plain.x) / Math.max(1, (this.offsets.at(-1) ?? 0) + 1));
    this.bar = Math.min(WIDEST_BAR, Math.max(1, this.slot * 0.72));
    const height = (value) => ((plain.y - CHART.top) * value) / this.top;
    const paths = new Map(this.series.map(([key]) => [key, ""]));
    this.items.forEach((item, place) => {
      let y = plain.y;
      for (const [key] of this.series) {
        const tall = height(item.values[key] ?? 0);
        if (tall <= 0) continue;
        y -= tall;
        paths.set(key, `${paths.get(key)}M${this.left(place).toFixed(2)} ${y.toFixed(2)}h${this.bar.toFixed(2)}v${tall.toFixed(2)}h-${this.bar.toFixed(2)}z`);
      }
    });
    this.cursor = drawn("rect.cursor", { y: CHART.top, height: plain.y - CHART.top, width: 0, x: 0 });
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${CHART.height + bottom}`);
    this.svg.setAttribute("height", CHART.height + bottom);
    this.svg.classList.toggle("roomy", this.bar > 6);
    this.svg.replaceChildren(
      this.cursor, ...this.levels(plain, height), ...[...paths].map(([key, d]) => drawn(`path.b-${key}`, { d })), ...this.titles(plain));
    this.mark();
  }

  left(place) { return CHART.left + this.slot * this.offsets[place] + (this.slot - this.bar) / 2; }

  levels(plain, height) {
    return [0, 0.5, 1].flatMap((share) => {
      const y = plain.y - height(this.top * share);
      return [
        drawn("line.level", { x1: plain.x, x2: plain.right, y1: y, y2: y }),
        drawn("text.axis-label", { x: plain.x - 8, y: y + 4, "text-anchor": "end" }, this.say(this.top * share)),
      ];
    });
  }

  titles(plain) {
    const every = Math.max(1, Math.ceil(34 / this.slot));
    let since = 0;
    return this.items.flatMap((item, place) => {
      since = this.starts[place] ? 0 : since + 1;
      const x = this.left(place) + this.bar / 2;
      return [
        since % every ? null : drawn("text.axis-label", { x, y: plain.y + 16, "text-anchor": "middle" }, item.title),
        this.groups > 1 && this.starts[place] ? drawn("text.axis-label.group", { x: this.left(place), y: plain.y + 34 }, fitting(item.group, this.roomOf(place))) : null,
      ].filter(Boolean);
    });
  }

  // How many pixels the group that begins at a place takes.
  roomOf(place) {
    const next = this.starts.indexOf(true, place + 1);
    return ((next < 0 ? this.offsets.at(-1) + 1 : this.offsets[next]) - this.offsets[place]) * this.slot;
  }

  under(event) {
    const slots = (event.clientX - this.svg.getBoundingClientRect().left - CHART.left) / this.slot;
    return this.offsets.findIndex((offset) => slots >= offset && slots < offset + 1);
  }

  point(place) {
    this.at = place;
    this.said.textContent = place < 0 ? "Point at a bar, or use the arrow keys, to read it." : this.items[place].say;
    this.mark();
  }

  mark() {
    if (!this.cursor) return;
    this.cursor.setAttribute("x", this.at < 0 ? 0 : CHART.left + this.slot * this.offsets[this.at]);
    this.cursor.setAttribute("width", this.at < 0 ? 0 : this.slot);
  }

  choose(place) {
    if (place >= 0) this.chosen(place);
  }

  key(event) {
    const last = this.items.length - 1;
    const to = { ArrowRight: Math.min(last, this.at + 1), ArrowLeft: Math.max(0, this.at - 1), Home: 0, End: last }[event.key];
    if (to !== undefined) this.point(to);
    else if (event.key === "Enter") this.choose(this.at);
    else return;
    event.preventDefault();
  }
}

// A name in so many pixels, at the size of the axis.
function fitting(text, room) {
  const most = Math.floor(room / 6.2);
  return text.length <= most ? text : most > 3 ? `${text.slice(0, most - 1)}…` : "";
}

// The least of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten that holds a value.
function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((size) => size * power).find((size) => size >= value * 0.999999);
}

// One bar of parts that make up a whole: [{key, title, share, said}].
function partsBar(label, parts) {
  const bar = make("div.parts", { role: "img", "aria-label": `${label}: ${parts.map((part) => `${part.title} ${percent(part.share)}`).join(", ")}` });
  for (const part of parts.filter(({ share }) => share > 0)) {
    const piece = make(`i.b-${part.key}`, { title: `${part.title}: ${part.said}` });
    piece.style.width = `${part.share * 100}%`;
    bar.append(piece);
  }
  return bar;
}

function key(series) {
  return make("ul.legend", {}, series.map(([name, title]) => make("li", {}, make(`i.swatch.b-${name}`), title)));
}
