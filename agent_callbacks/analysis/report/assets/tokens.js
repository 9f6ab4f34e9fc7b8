// What each step read, by what it is made of, and what it cost.

const BUCKETS = [
  ["system_prompt", "System prompt"], ["tool_schemas", "Tool schemas"], ["history", "History"],
  ["tool_outputs", "Tool outputs"], ["other", "Other"], ["unsplit", "Input, not split"],
];
const MOST_LINES = 400; // of the table under a chart

function tokensSection(run, go) {
  if (!run.steps.length) return [make("p.quiet", {}, "This run has no model call.")];
  const series = BUCKETS.filter(([name]) => run.steps.some((step) => step.buckets[name]));
  const many = new Set(run.steps.map((step) => step.agent)).size > 1;
  const chart = new StackedBars({
    label: "Input tokens of each step", series, say: short, chosen: (place) => go(run.steps[place].span),
    items: run.steps.map((step) => ({ title: step.label.replace(/^(step|call) /, ""), group: step.agent, part: step.run, values: step.buckets, say: said(step, series, many) })),
  });
  return [
    make("p.quiet", {},  `Input tokens of each ${run.steps[0].run ? "step" : "model call"}, by what they are made of.`), key(series), chart.element,
    totals(run, series), list(run, series, many, go),
    ...unseen(run, "buckets", "cost"),
  ];
}

function said(step, series, many) {
  const parts = series.filter(([name]) => step.buckets[name]).map(([name, title]) => `${title.toLowerCase()} ${tokens(step.buckets[name])}`);
  const costs = step.cost === null ? "" : ` · ${dollars(step.cost)}`;
  return `${step.label}${many ? ` of ${step.agent}` : ""}: ${tokens(step.input_tokens, step.estimated)} in (${parts.join(", ")}) · ${tokens(step.output_tokens, step.estimated)} out${costs}`;
}

function totals(run, series) {
  const sums = series.map(([name, title]) => ({ key: name, title, sum: run.steps.reduce((sum, step) => sum + (step.buckets[name] ?? 0), 0) }));
  const whole = sums.reduce((sum, part) => sum + part.sum, 0);
  if (!whole || series.length < 2) return null;
  const parts = sums.map((part) => ({ ...part, share: part.sum / whole, said: tokens(part.sum) }));
  return make("div.whole", {}, make("h3", {}, `All steps: ${tokens(whole)} tokens in`), partsBar("Input tokens of all steps", parts),
    make("ul.parts-list", {}, parts.map((part) => make("li", {}, make(`i.swatch.b-${part.key}`), `${part.title} `,
      make("b", {}, percent(part.share)), make("span.quiet", {}, ` ${tokens(part.sum)}`)))));
}

function list(run, series, many, go) {
  const any = (name) => run.steps.some((step) => step[name] !== null);
  const columns = [
    [[run.steps[0].run ? "step" : "model call"], (step) => make("button.link", { type: "button", onclick: () => go(step.span) }, isolated(step.label))],
    many && [[run.steps[0].run ? "agent" : "model"], (step) => isolated(step.agent)],
    ...(series.length > 1 ? series.map(([name, title]) => [[title.toLowerCase(), true], (step) => tokens(step.buckets[name] ?? 0)]) : []),
    [["in", true], (step) => tokens(step.input_tokens, step.estimated)],
    any("marginal_tokens") && [["more than before", true], (step) => signed(step.marginal_tokens, tokens)],
    any("cached_tokens") && [["cached", true], (step) => tokens(step.cached_tokens)],
    [["out", true], (step) => tokens(step.output_tokens, step.estimated)],
    any("cost") && [["cost", true], (step) => dollars(step.cost)],
    any("marginal_cost") && [["cost more", true], (step) => signed(step.marginal_cost, dollars)],
    any("alert") && [["alert"], (step) => step.alert ?? ""],
  ].filter(Boolean);
  const lines = run.steps.slice(0, MOST_LINES).map((step) => columns.map(([, cell]) => cell(step)));
  const label = `All ${counted(run.steps.length, columns[0][0][0])} as a table`;
  const box = make("details", { open: run.steps.length <= 12 }, make("summary", {}, label));
  const fill = () => {
    if (!box.open || box.childElementCount > 1) return;
    box.append(table(label, columns.map(([title]) => title), lines));
    if (run.steps.length > MOST_LINES) box.append(make("p.quiet", {}, `The first ${MOST_LINES} steps; the waterfall has all.`));
  };
  box.addEventListener("toggle", fill);
  fill();
  return box;
}

function short(value) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size) return `${Number((value / size).toPrecision(3))}${unit}`;
  }
  return String(Number(value.toPrecision(3)));
}
