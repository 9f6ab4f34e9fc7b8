// The list of runs, where there are several, and the head of the one that is looked at.

const MOST_RUNS = 500;

function runList(page, chosen) {
  const any = (name) => page.runs.some((run) => run[name] !== null);
  const columns = [
    [["run"], (run, place) => make("button.link", { type: "button", "data-run": place, onclick: () => chosen(place) }, isolated(run.name))],
    [["started, UTC"], (run) => run.started],
    any("variant") && [["variant"], (run) => isolated(run.variant ?? NONE)],
    any("outcome") && [["outcome"], (run) => isolated(run.outcome ?? NONE)],
    [["time", true], (run) => seconds(run.duration)],
    [["steps", true], (run) => tokens(run.steps_count)],
    [["in", true], (run) => tokens(run.input_tokens)],
    [["out", true], (run) => tokens(run.output_tokens)],
    any("cost") && [["cost", true], (run) => dollars(run.cost)],
  ].filter(Boolean);
  const more = page.runs.length > MOST_RUNS ? make("p.quiet", {}, `The first ${MOST_RUNS} of ${counted(page.runs.length, "run")}.`) : "";
  return make("div", {}, table("All runs", columns.map(([title]) => title), page.runs.slice(0, MOST_RUNS).map((run, place) => columns.map(([, cell]) => cell(run, place)))), more);
}

function runHead(run) {
  const facts = [run.outcome === null ? null : ["outcome", run.outcome], ...run.facts.map(({ title, text }) => [title, text]), ["started", `${run.started} UTC`], ["trace", run.trace_id]].filter(Boolean);
  byId("run-facts").replaceChildren(...facts.map(([title, text]) => make("span.fact", {}, make("span.quiet", {}, isolated(title)), " ", isolated(text))));
  const numbers = [
    ["time", seconds(run.duration)], run.cost === null ? null : ["cost", dollars(run.cost)],
    run.input_tokens === null ? null : ["tokens in", tokens(run.input_tokens)], run.output_tokens === null ? null : ["tokens out", tokens(run.output_tokens)],
    ["steps", tokens(run.steps_count)], ["model calls", tokens(run.model_calls)], ["tool calls", tokens(run.tool_calls)],
    ["failures", tokens(run.failures)],
  ].filter(Boolean);
  byId("run-numbers").replaceChildren(...numbers.map(([title, text]) =>
    make(title === "failures" && run.failures ? "div.bad" : "div", {}, make("dt", {}, title), make("dd", {}, text))));
}

function runAnswers(run, go) {
  return run.answers.map((answer) => make("div.answer", {}, make("dt", {}, answer.question),
    make("dd", {}, make("p", {}, isolated(answer.text)),
      answer.span === null ? null : make("button.link", { type: "button", onclick: () => go(answer.span) }, "Show it"))));
}

// Every run of each variant as a stroke where its cost (or, without prices, its time) lies; the tall one is the mean.
const SPREAD = { width: 1000, row: 34 };

function spread(page) {
  const costs = page.runs.some((run) => run.cost !== null);
  const [title, say, value] = costs ? ["Cost of each run", dollars, (run) => run.cost] : ["Time of each run", seconds, (run) => run.duration];
  const known = page.runs.filter((run) => run.variant !== null && value(run) !== null);
  const top = niceTop(known.reduce((most, run) => Math.max(most, value(run)), 0));
  const lines = page.variants.map(({ name }) => {
    const values = known.filter((run) => run.variant === name).map(value);
    const mean = values.reduce((sum, each) => sum + each, 0) / Math.max(1, values.length);
    const at = (each) => ((each / top) * (SPREAD.width - 4) + 2).toFixed(1);
    const strokes = values.map((each) => `M${at(each)} 12v${SPREAD.row - 18}`).join("");
    return make("div.spread-line", {}, isolated(name), drawn("svg", { viewBox: `0 0 ${SPREAD.width} ${SPREAD.row}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `${name}: ${counted(values.length, "run")}, mean ${say(mean)}` },
    drawn("path.level", { d: `M0 ${SPREAD.row - 3}h${SPREAD.width}` }), drawn("path.each", { d: strokes }), drawn("path.mean", { d: `M${at(mean)} 3v${SPREAD.row - 6}` })),
    make("span.number", {}, say(mean)));
  });
  return make("figure.spread", {}, make("figcaption.quiet", {}, `${title}, from ${say(0)} to ${say(top)}; the tall stroke is the mean.`), lines);
}
