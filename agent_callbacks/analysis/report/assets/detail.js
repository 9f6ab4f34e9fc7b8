// All that one span says, as text.

const LONG = 600; // characters shown before one asks for all
const HALF = /[\ud800-\udbff]$/; // of a character that a cut has parted
// What people open a span for, in the order they look; the rest follows by name.
const CONTENT = [
  ["gen_ai.tool.call.arguments", "Arguments"], ["gen_ai.tool.call.result", "Result"],
  ["gen_ai.system_instructions", "Instructions"], ["gen_ai.input.messages", "Input"], ["gen_ai.output.messages", "Output"],
  ["gen_ai.retrieval.query.text", "Query"], ["gen_ai.retrieval.documents", "Documents"],
  ["input.value", "Input value"], ["output.value", "Output value"], ["gen_ai.tool.definitions", "Tool definitions"],
];

class Detail {
  constructor(element, actions) {
    this.element = element;
    this.actions = actions; // {close, zoom, go}
  }

  hide() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  show(span, place) {
    this.element.hidden = false;
    this.element.scrollTop = 0;
    this.element.replaceChildren(
      this.head(span, place), numbers(span),
      ...CONTENT.filter(([key]) => key in span.attributes).map(([key, title]) => content(title, span.attributes[key])),
      ...notes("Events", span.events), attributes(span), ...notes("Links", span.links),
    );
  }

  head(span, place) {
    return make("div.detail-head", {},
      make("h3", { id: "detail-title" }, make(`span.badge.k-${KINDS[span.kind][0]}`, { title: KINDS[span.kind][1] }, span.kind), isolated(span.name)),
      span.mark ? make(span.failed ? "p.error" : "p.mark", {}, isolated(span.mark)) : null,
      make("div.group", {},
        button("Zoom to span", () => this.actions.zoom(place)),
        span.parent >= 0 ? button("Parent", () => this.actions.go(span.parent)) : null,
        button("Close", () => this.actions.close(), { class: "button close" })));
  }
}

function numbers(span) {
  const lines = [
    ["kind", KINDS[span.kind][1]],
    ["begins at", seconds(span.begin)],
    ["lasts", span.end === null ? "never ended" : seconds(span.end - span.begin)],
    ["first token after", span.first_token === null ? null : seconds(span.first_token - span.begin)],
    ["tokens in", span.input_tokens === null ? null : tokens(span.input_tokens, span.estimated)],
    ["tokens out", span.output_tokens === null ? null : tokens(span.output_tokens, span.estimated)],
    ["cost", span.cost === null ? null : dollars(span.cost)],
    ["failures below", span.failed_below || null],
    ["status", span.status === "UNSET" ? null : span.status],
  ];
  return make("dl.pairs", {}, lines.filter(([, value]) => value !== null).map(([title, value]) => pair(title, value)));
}

const pair = (title, value) => make("div", {}, make("dt", {}, isolated(title)), make("dd", {}, isolated(String(value))));

function attributes(span) {
  const shown = new Set(CONTENT.map(([key]) => key));
  const keys = Object.keys(span.attributes).filter((key) => !shown.has(key)).sort();
  const own = [["span id", span.span_id], ["span kind", span.otel_kind], ["scope", span.scope || NONE]];
  return make("details", { open: true }, make("summary", {}, `Attributes (${keys.length})`),
    make("dl.pairs.mono", {}, keys.map((key) => pair(key, oneLine(span.attributes[key]))), own.map(([key, value]) => pair(key, value))));
}

function notes(title, found) {
  if (!found.length) return [];
  return [make("details", { open: true }, make("summary", {}, `${title} (${found.length})`),
    found.map((note) => make("div.note", {},
      make("p", {}, isolated(note.name), note.at === null ? null : make("span.quiet", {}, ` at ${seconds(note.at)}`)),
      make("dl.pairs.mono", {}, Object.entries(note.attributes).map(([key, value]) => pair(key, oneLine(value)))))))];
}

// A long text shows its beginning; the rest comes when asked for.
function content(title, value) {
  const text = conversation(value) ?? indented(value);
  const block = make("pre", { tabindex: 0, role: "region", "aria-label": title }, text.slice(0, LONG).replace(HALF, ""));
  const box = make("details", { open: true }, make("summary", {}, title), block);
  if (text.length > LONG) {
    block.append("…");
    const more = make("button.link", { type: "button", onclick: () => { block.textContent = text; more.remove(); } },
      `Show all ${grouped.format(text.length)} characters`);
    box.append(more);
  }
  return box;
}

// Messages of the GenAI conventions as one reads a conversation; null where the value is something else.
function conversation(value) {
  const messages = typeof value === "string" ? parsed(value) : value;
  if (!Array.isArray(messages) || !messages.length || !messages.every((each) => each?.role && Array.isArray(each.parts))) return null;
  return visible(messages.map(({ role, parts }) => `${String(role).toUpperCase()}\n${parts.map(part).join("\n")}`).join("\n\n"));
}

function part(each) {
  if (each?.type === "text") return oneLine(each.content);
  if (each?.type === "tool_call") return `${each.name}(${oneLine(each.arguments ?? "")})`;
  if (each?.type === "tool_call_response") return oneLine(each.response ?? each.result ?? "");
  return JSON.stringify(each);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// JSON inside a string may have escaped what the data would not let through as it is.
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu;
const visible = (text) => text.replace(HIDDEN,
  (character) => `\u27e8U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

function indented(value) {
  const found = typeof value === "string" ? parsed(value) : value;
  return typeof found === "object" && found !== null ? visible(JSON.stringify(found, null, 2)) : oneLine(value);
}
