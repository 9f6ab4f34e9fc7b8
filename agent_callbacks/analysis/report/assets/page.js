// The page: reads the data, shows one run at a time, and lets its parts hear of each other.

const page = JSON.parse(byId("data").textContent);
let current = null; // {run, waterfall, overview, search, detail, found, at}

function showRun(place) {
  current?.waterfall.close();
  const run = page.runs[place];
  const several = page.runs.length > 1;
  for (const id of ["run", "waterfall", "tokens", "latency", "findings"]) byId(id).hidden = false;
  runHead(run);
  if (several) {
    byId("run-title").replaceChildren(isolated(`Run ${place + 1}: ${run.name}`));
    byId("run-answers").replaceChildren(...runAnswers(run, go));
  }
  const detail = new Detail(byId("detail"), { close: dismiss, zoom: (span) => current.waterfall.zoomTo(span), go });
  current = { place, run, detail, search: new Search(run.spans), found: null, at: -1 };
  current.overview = new Overview(byId("overview"), run.spans, run.duration, (from, to) => {
    current.waterfall.window.set(from, to);
    current.waterfall.redraw();
  });
  dismissDetail();
  byId("search").value = "";
  current.waterfall = new Waterfall(byId("tree"), run, {
    select, dismiss, window: (window) => current.overview.show(window), search: () => byId("search").focus(),
  });
  count();
  showLegend(run);
  for (const link of document.querySelectorAll("#run-list [data-run]")) {
    link.ariaCurrent = Number(link.dataset.run) === place ? "true" : null;
  }
  // What lies further down waits until the waterfall stands.
  requestAnimationFrame(() => setTimeout(() => showSections(run)));
}

function showSections(run) {
  if (current.run !== run) return;
  byId("tokens-body").replaceChildren(...tokensSection(run, go).filter(Boolean));
  byId("latency-body").replaceChildren(...latencySection(run).filter(Boolean));
  byId("findings-body").replaceChildren(...findingsSection(run, go).filter(Boolean));
  const bill = billSection(run);
  byId("bill").hidden = !bill.length;
  byId("bill-body").replaceChildren(...bill);
}

function showLegend(run) {
  const kinds = new Set(run.spans.map((span) => span.kind));
  const items = Object.entries(KINDS).filter(([kind]) => kinds.has(kind))
    .map(([kind, [name, title]]) => make("li", {}, make(`span.badge.k-${name}`, {}, kind), title));
  if (run.spans.some((span) => span.first_token !== null)) items.push(make("li", {}, make("i.swatch.head"), "until the first token"));
  if (run.spans.some((span) => span.critical.length)) items.push(make("li", {}, make("i.swatch.line"), "critical path"));
  byId("legend").replaceChildren(...items);
}

// --- a span ----------------------------------------------------------------------------------------------------------
function select(place) {
  history.replaceState(null, "", addressOf(current.run, current.run.spans[place]));
  current.detail.show(current.run.spans[place], place);
  document.querySelector(".split").classList.add("open");
  document.documentElement.classList.add("detailed");
  // Where the detail lies over the page, the row is scrolled to where it can still be seen.
  requestAnimationFrame(() => byId(`row-${place}`)?.scrollIntoView({ block: "nearest" }));
}

function dismissDetail() {
  current.detail.hide();
  document.querySelector(".split").classList.remove("open");
  document.documentElement.classList.remove("detailed");
}

function dismiss() {
  forget();
  dismissDetail();
  current.waterfall.unselect();
  byId("tree").focus({ preventScroll: true });
}

// Show a span from anywhere on the page; "back" leads to where one came from.
function go(place) {
  history.pushState(null, "", addressOf(current.run, current.run.spans[place]));
  showSpan(place);
}

function showSpan(place) {
  current.waterfall.go(place, { select: true });
  byId("waterfall").scrollIntoView({ block: "start" });
  byId("tree").focus({ preventScroll: true });
}

function forget() {
  history.replaceState(null, "", location.pathname + location.search);
}

// The address of a span within the page, to send to others: #TRACE_ID/SPAN_ID.
const addressOf = (run, span) => `#${encodeURIComponent(run.trace_id)}/${encodeURIComponent(span.span_id)}`;

// Show the span that the address names; none where it names none of this page.
function follow() {
  if (!location.hash) dismiss();
  for (const [place, run] of page.runs.entries()) {
    const at = run.spans.findIndex((span) => addressOf(run, span) === location.hash);
    if (at < 0) continue;
    if (place !== current.place) showRun(place);
    return showSpan(at);
  }
}

// --- search ----------------------------------------------------------------------------------------------------------
function search() {
  current.found = current.search.find(byId("search").value);
  current.at = -1;
  const { waterfall, found } = current;
  waterfall.matches = found && new Set(found);
  waterfall.tree.filter(found && byId("search-only").checked ? found : null);
  if (found?.length) step(1);
  else waterfall.redraw();
  count();
}

function step(by) {
  const { found, waterfall } = current;
  if (!found?.length) return;
  current.at = (current.at + by + found.length) % found.length;
  waterfall.go(found[current.at]);
  count();
}

function count() {
  const { found, at } = current;
  byId("search-count").textContent = !found ? "" : found.length ? `${grouped.format(at + 1)} of ${grouped.format(found.length)}` : "no match";
  byId("search-next").disabled = byId("search-previous").disabled = !found?.length;
}

// --- light and dark --------------------------------------------------------------------------------------------------
function themeButton() {
  const wantsDark = matchMedia("(prefers-color-scheme: dark)");
  const control = byId("theme");
  const isDark = () => (document.documentElement.dataset.theme ?? (wantsDark.matches ? "dark" : "light")) === "dark";
  const say = () => { control.textContent = isDark() ? "Light" : "Dark"; control.setAttribute("aria-label", `${isDark() ? "Light" : "Dark"} theme`); };
  control.onclick = () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; say(); };
  wantsDark.addEventListener("change", say);
  control.hidden = false;
  say();
}

// --- hands -----------------------------------------------------------------------------------------------------------
function listen() {
  const on = (id, does) => byId(id).addEventListener("click", does);
  const tree = (change) => () => { change(current.waterfall.tree); current.waterfall.go(visibleActive()); };
  on("expand-all", tree((each) => each.openAll()));
  on("collapse-all", tree((each) => each.closeToSteps()));
  on("zoom-in", () => current.waterfall.zoom(ZOOM));
  on("zoom-out", () => current.waterfall.zoom(1 / ZOOM));
  on("zoom-left", () => current.waterfall.pan(-0.2));
  on("zoom-right", () => current.waterfall.pan(0.2));
  on("zoom-reset", () => current.waterfall.whole());
  on("zoom-span", () => current.waterfall.zoomTo(current.waterfall.active));
  on("search-next", () => step(1));
  on("search-previous", () => step(-1));
  byId("search-only").addEventListener("change", search);
  byId("search").addEventListener("input", search);
  byId("search").addEventListener("keydown", searchKey);
  byId("detail").addEventListener("keydown", (event) => { if (event.key === "Escape") dismiss(); });
  for (const link of document.querySelectorAll("#summary [data-span]")) {
    link.addEventListener("click", () => {
      if (Number(link.dataset.run) !== current.place) showRun(Number(link.dataset.run));
      go(Number(link.dataset.span));
    });
  }
}

function searchKey(event) {
  if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
  else if (event.key === "ArrowDown") byId("tree").focus();
  else if (event.key === "Escape" && event.target.value) { event.target.value = ""; search(); }
  else return;
  event.preventDefault();
}

// The active row, or the nearest above it that is not folded away.
function visibleActive() {
  const { tree, active } = current.waterfall;
  let place = active;
  while (place >= 0 && !tree.lineOf.has(place)) place = tree.spans[place].parent;
  return Math.max(0, place);
}

themeButton();
listen();
if (page.runs.length > 1) byId("run-list").replaceChildren(runList(page, (place) => { showRun(place); forget(); byId("run").scrollIntoView(); }));
if (page.variants.length) byId("spread").replaceChildren(spread(page));
showRun(0);
if (location.hash) follow();
addEventListener("hashchange", follow);
