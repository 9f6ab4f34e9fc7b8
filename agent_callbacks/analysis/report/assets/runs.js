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
  return make("div", {}, table(columns.map(([title]) => title), page.runs.slice(0, MOST_RUNS).map((run, place) => columns.map(([, cell]) => cell(run, place)))), more);
}

function runHead(run) {
  const facts = [...run.facts.map(({ title, text }) => [title, text]), ["started", `${run.started} UTC`], ["trace", run.trace_id]];
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
