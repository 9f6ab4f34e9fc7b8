// Numbers as people say them; the same words as the terminal's.

const NONE = "–";
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

function seconds(value) {
  if (value === null || value === undefined) return NONE;
  if (value < 0.01) return `${(value * 1000).toFixed(1)} ms`;
  if (value < 1) return `${(value * 1000).toFixed(0)} ms`;
  if (Number(value.toFixed(2)) < 60) return `${value.toFixed(2)} s`;
  const whole = Math.round(value);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}

const tokens = (value, estimated = false) =>
  value === null || value === undefined ? NONE : (estimated ? "~" : "") + grouped.format(value);

function dollars(value) {
  if (value === null || value === undefined) return NONE;
  if (value && Math.abs(value) < 5e-9) return "<$0.00000001";
  const digits = !value || Math.abs(value) >= 1 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(Math.abs(value))));
  const size = Number(Math.abs(value).toFixed(digits)).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${value < 0 ? "−" : ""}$${size}`;
}

function percent(share) {
  if (share === null || share === undefined) return NONE;
  if (share === 0) return "0 %";
  return share > 0 && share < 0.0005 ? "< 0.1 %" : `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

const signed = (value, said) =>
  value === null || value === undefined ? NONE : value > 0 ? `+${said(value)}` : value < 0 ? `−${said(-value)}` : said(value);

const counted = (count, thing) => `${grouped.format(count)} ${thing}${count === 1 ? "" : "s"}`;

const oneLine = (value) => (typeof value === "string" ? value : JSON.stringify(value));
