// Where the seconds went, what could be changed, and the bill.

function latencySection(run) {
  if (!run.components.length) return [make("p.quiet", {}, "Nothing is known of where the time went.")];
  const parts = run.components.map((part) => ({ ...part, key: `c-${part.key}`, said: seconds(part.seconds) }));
  return [
    make("p.quiet", {}, `${seconds(run.duration)} from the first start to the last end; each moment is counted once.`),
    partsBar("Where the time went", parts),
    make("ul.components", {}, parts.filter((part) => part.seconds > 0 || part.key === "c-unattributed").map((part) => make("li", {},
      make(`i.swatch.b-${part.key}`), make("span", {}, part.title), make("b.number", {}, seconds(part.seconds)),
      make("span.number.quiet", {}, percent(part.share)), part.note ? make("small.quiet", {}, part.note) : null))),
    ...unseen(run, "latency"),
  ];
}

function findingsSection(run, go) {
  if (!run.findings.length) return [make("p.quiet", {}, "Nothing was found that a change would make faster.")];
  return [make("ul.findings", {}, run.findings.map((finding) => make("li", {},
    make("h3", {}, isolated(finding.title)), make("p", {}, isolated(finding.text)),
    make("p.quiet", {}, [finding.saving === null ? null : `saves at most ${seconds(finding.saving)}`, finding.evidence].filter(Boolean).join(" · ")),
    finding.spans.length ? button("Show it", () => go(finding.spans[0])) : null)))];
}

function billSection(run) {
  if (!run.charges.length) return [];
  const titles = [["for"], ["calls", true], ["in", true], ["out", true], ["cost", true], ["note"]];
  return [table("Lines of the bill", titles, run.charges.map((charge) => [isolated(charge.title), tokens(charge.calls), tokens(charge.input_tokens),
    tokens(charge.output_tokens), dollars(charge.cost), isolated(charge.note ?? "")]))];
}
