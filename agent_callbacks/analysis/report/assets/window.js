// The piece of time that is looked at.

class TimeWindow {
  constructor(whole) {
    this.whole = Math.max(whole, 1e-9);
    this.reset();
  }

  reset() {
    this.changes = (this.changes ?? 0) + 1; // tells whether what is drawn still holds
    this.from = 0;
    this.to = this.whole;
  }

  get length() { return this.to - this.from; }

  get zoomed() { return this.length < this.whole * 0.999999; }

  set(from, to) {
    this.changes += 1;
    const length = Math.min(this.whole, Math.max(to - from, this.whole / 1e5, 1e-7));
    this.from = Math.min(Math.max(0, from), this.whole - length);
    this.to = this.from + length;
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    this.set(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  pan(share) {
    this.set(this.from + this.length * share, this.to + this.length * share);
  }

  // Where a moment lies, 0 at the left edge and 1 at the right one.
  place(moment) { return (moment - this.from) / this.length; }

  // Round moments to write on the axis, at most *most* of them.
  ticks(most) {
    const rough = this.length / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((size) => size * power).find((size) => size >= rough) ?? 10 * power;
    const found = [];
    for (let tick = Math.ceil(this.from / step - 1e-9); tick * step <= this.to * (1 + 1e-12); tick++) found.push(tick * step);
    return found;
  }

  // A moment at the precision that tells two ticks apart.
  label(moment) {
    const unit = this.to < 0.001 ? ["µs", 1e6] : this.to < 1 ? ["ms", 1e3] : ["s", 1];
    const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10((this.length * unit[1]) / 10))));
    return `${(moment * unit[1]).toFixed(digits)} ${unit[0]}`;
  }
}
