"""The page in a real browser: by mouse, by keyboard, at three sizes, light and dark."""

from __future__ import annotations

import re
from importlib import resources
from typing import Final
from urllib.parse import quote

import pytest

from agent_callbacks.analysis.report.amount import said
from agent_callbacks.analysis.trace import load
from tests.report import scenes
from tests.store.story import support

SIZES: Final = ((360, 740), (1280, 900), (1920, 1080))
THEMES: Final = ("light", "dark")

# The least contrast of any text with what lies under it, WCAG 2.2, 1.4.3; what is disabled or hidden does not count.
CONTRASTS: Final = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const under = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || element.closest("script, [hidden], .hidden, :disabled")) continue;
    if (!element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const color = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [one, other] = [light(rgba(color)), light(under(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) found.push(`${walk.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


class TestLayout:
    """Sizes and colours."""

    @pytest.mark.parametrize("theme", THEMES)
    @pytest.mark.parametrize(("width", "height"), SIZES)
    def test_nothing_sticks_out(self, show, width, height, theme):
        """The page is as wide as the window, whatever is open in it."""
        opened = show(scenes.agent_run(20, tools=2), width=width, height=height, theme=theme)
        opened.page.locator("#tree [data-place]").first.click()
        opened.page.locator("#tokens summary").last.click()
        assert width == opened.page.evaluate("document.documentElement.scrollWidth")

    @pytest.mark.parametrize("theme", THEMES)
    @pytest.mark.parametrize("width", [360, 1280])
    def test_contrast(self, show, width, theme):
        """Every text can be read: its contrast is that of WCAG 2.2, level AA."""
        opened = show(scenes.agent_run(3), scenes.hostile(), width=width, theme=theme)
        opened.page.locator("#run-list button").last.click()
        opened.page.locator("#tree [data-place]").nth(3).click()
        opened.page.get_by_role("searchbox").fill("constructor")
        assert [] == opened.page.evaluate(CONTRASTS)

    def test_contrast_can_fail(self, show):
        """Text that cannot be read is found."""
        opened = show(scenes.agent_run(1))
        opened.page.evaluate("document.querySelector('h1').style.color = '#ccc'")
        assert ["agent.run.support: 1.50"] == opened.page.evaluate(CONTRASTS)

    def test_theme_button(self, show):
        """The button changes between light and dark, from what the system prefers."""
        opened = show(scenes.agent_run(1), theme="dark")
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = opened.page.evaluate(ground)
        opened.page.get_by_role("button", name="Light theme").click()
        light = opened.page.evaluate(ground)
        opened.page.get_by_role("button", name="Dark theme").click()
        assert (dark, True) == (opened.page.evaluate(ground), light != dark)


class TestHead:
    """What stands above the waterfall."""

    def test_facts(self, show):
        """How the run ended, what it belongs to, and which it is."""
        facts = show(*load(support())).page.locator("#run-facts .fact").all_inner_texts()
        assert ["outcome success", "service support", "user u-17"] == facts[:3]


class TestAxis:
    """The moments above the bars."""

    def test_label_at_the_edge(self, show):
        """A label that would be cut off at the edge, and with it its unit, is left out."""
        scene = scenes.Scene()
        scene.add(None, "agent.run.a", 0, 21, {})
        assert ["0 ms", "5 ms", "10 ms", "15 ms", ""] == show(scene.trace()).page.locator(".tick").all_inner_texts()


class TestMouse:
    """Clicks."""

    def test_row_opens_its_detail(self, show):
        """A click on a row shows all that its span says; the button closes it again."""
        opened = show(scenes.agent_run(2))
        opened.page.locator("#tree .label", has_text="tool.lookup_order").first.click()
        detail = opened.page.locator("#detail")
        shown = detail.inner_text()
        detail.get_by_role("button", name="Close").click()
        assert [True, True, False] == ["tool.lookup_order" in shown, '"order": 1042' in shown, detail.is_visible()]

    def test_folding(self, show):
        """A click on the triangle folds what is below, another shows it again."""
        opened = show(scenes.agent_run(2))
        everything = opened.names()
        opened.page.locator("#tree .twisty").nth(1).click()
        opened.settle()
        folded = opened.names()
        opened.page.locator("#tree .twisty").nth(1).click()
        opened.settle()
        assert (everything[:2] + everything[5:], everything) == (folded, opened.names())

    def test_steps_only(self, show):
        """One button leaves the steps, another shows everything."""
        opened = show(scenes.agent_run(2))
        everything = opened.names()
        opened.page.get_by_role("button", name="Steps only").click()
        opened.settle()
        steps = opened.names()
        opened.page.get_by_role("button", name="Expand all").click()
        opened.settle()
        assert (["agent.run.support", "agent.step.1", "agent.step.2"], everything) == (steps, opened.names())

    def test_zoom(self, show):
        """Dragging over the strip zooms; the axis says so, and one button shows the whole run again."""
        opened = show(scenes.agent_run(10))
        axis = opened.page.locator(".axis")
        whole = axis.inner_text()
        strip = opened.page.locator("#overview").bounding_box()
        opened.page.mouse.move(strip["x"] + strip["width"] * 0.5, strip["y"] + 20)
        opened.page.mouse.down()
        opened.page.mouse.move(strip["x"] + strip["width"] * 0.6, strip["y"] + 20)
        opened.page.mouse.up()
        zoomed = axis.locator(".tick").first.inner_text()
        opened.page.get_by_role("button", name="Whole run").click()
        assert (True, whole) == (6.5 < float(zoomed.split()[0]) < 7.5, axis.inner_text())

    def test_zoom_buttons(self, show):
        """The buttons zoom in and out, to a span, and move in time."""
        opened = show(scenes.agent_run(10))
        first = lambda: float(opened.page.locator(".tick").first.inner_text().split()[0])  # noqa: E731
        seen = []
        for name in ("Zoom in", "Later", "Earlier", "Zoom out"):
            opened.page.get_by_role("button", name=name, exact=True).click()
            seen.append(first())
        opened.page.locator("#tree .label", has_text="agent.step.3").click()
        opened.page.locator("#zoom-span").click()
        assert [True, True, True, 0.0, True] == [
            seen[0] > 2,
            seen[1] > seen[0],
            seen[2] < seen[1],
            seen[3],
            2.6 <= first() <= 3,
        ]

    def test_answer_leads_to_its_span(self, show):
        """What an answer is about is one click away."""
        opened = show(scenes.agent_run(9))
        opened.page.locator("#summary .answer", has_text="Which step cost most?").get_by_role("button").click()
        assert "agent.step.9" == opened.page.locator("#detail h3 bdi").inner_text()

    def test_bar_of_a_step(self, show):
        """Pointing at a bar reads it out; a click shows the step."""
        opened = show(scenes.agent_run(4))
        chart = opened.page.locator("#tokens .chart svg")
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        opened.page.mouse.move(box["x"] + 48 + 3.5 * 110, box["y"] + 100)
        said = opened.page.locator("#tokens .readout").inner_text()
        opened.page.mouse.down()
        opened.page.mouse.up()
        assert ("step 4: 13,512 in", "agent.step.4") == (
            said.split(" (")[0],
            opened.page.locator("#detail h3 bdi").inner_text(),
        )


class TestSearch:
    """The search field."""

    def test_finds_attributes(self, show):
        """What stands in an attribute is found; Enter goes from match to match and around."""
        opened = show(scenes.agent_run(3))
        field = opened.page.get_by_role("searchbox")
        field.fill("crm_lookup")
        opened.settle()
        found = [opened.page.locator("#search-count").inner_text(), opened.active]
        field.press("Enter")
        found.append(opened.page.locator("#search-count").inner_text())
        assert ["1 of 1", "tool.crm_lookup", "1 of 1"] == found

    def test_matches_only(self, show):
        """The box leaves the matches and what stands above them."""
        opened = show(scenes.agent_run(3))
        opened.page.get_by_label("matches only").check()
        opened.page.get_by_role("searchbox").fill("tool.crm_lookup")
        opened.settle()
        assert ["agent.run.support", "agent.step.3", "tool.crm_lookup"] == opened.names()

    def test_no_match(self, show):
        """No match is said, and emptying the field shows all again."""
        opened = show(scenes.agent_run(1))
        everything = opened.names()
        field = opened.page.get_by_role("searchbox")
        field.fill("nowhere to be found")
        said = opened.page.locator("#search-count").inner_text()
        field.press("Escape")
        opened.settle()
        assert ("no match", everything) == (said, opened.names())

    def test_folded_match_is_shown(self, show):
        """A match that is folded away is unfolded."""
        opened = show(scenes.agent_run(3))
        opened.page.get_by_role("button", name="Steps only").click()
        opened.page.get_by_role("searchbox").fill("tool.crm_lookup")
        opened.settle()
        assert "tool.crm_lookup" in opened.names()

    def test_what_is_read_is_found(self, show):
        """Text with quotes and lines in it is found as it stands in the detail."""
        opened = show(scenes.agent_run(1))
        opened.page.get_by_role("searchbox").fill('"order": 1042')
        opened.settle()
        assert ("1 of 1", "tool.lookup_order") == (opened.page.locator("#search-count").inner_text(), opened.active)


class TestAddress:
    """The address of the page leads to a span."""

    def test_names_the_span(self, show):
        """The address follows the span that is shown, and forgets it when the detail is closed."""
        opened = show(scenes.agent_run(1))
        opened.page.locator("#tree .label", has_text="llm.chat").click()
        named = opened.page.url.partition("#")[2]
        opened.page.keyboard.press("Escape")
        assert (f"{1:032x}/{3:016x}", "") == (named, opened.page.url.partition("#")[2])

    def test_opens_the_span(self, show):
        """Who is sent an address sees its run and its span."""
        opened = show(scenes.agent_run(1), scenes.agent_run(3, number=2), at=f"#{2:032x}/{7:016x}")
        titles = [opened.page.locator(each).inner_text() for each in ("#run-title", "#detail h3 bdi")]
        assert ["Run 2: agent.run.support", "llm.chat"] == titles

    def test_hostile_ids(self, show):
        """Ids of a foreign file are quoted in the address, and found again."""
        scene = scenes.Scene()
        scene.trace_id = "<img src=x onerror=alert`1`>/#%"
        scene.add(None, "agent.run.a", 0, 10, {})
        opened = show(scene.trace(), at=f"#{quote(scene.trace_id, safe='')}/{1:016x}")
        assert "agent.run.a" == opened.page.locator("#detail h3 bdi").inner_text()

    def test_unknown_span(self, show):
        """An address of another page shows the run from its beginning."""
        opened = show(scenes.agent_run(1), at="#nowhere/else")
        assert (True, "agent.run.support") == (opened.page.locator("#detail").is_hidden(), opened.active)

    def test_back(self, show):
        """After a jump "back" leads to where one came from, and the detail goes."""
        opened = show(scenes.agent_run(9))
        opened.page.locator("#summary .answer", has_text="Which step cost most?").get_by_role("button").click()
        opened.page.go_back()
        opened.page.locator("#detail").wait_for(state="hidden")
        assert "" == opened.page.url.partition("#")[2]


class TestMedia:
    """Paper, and colours that the system forces."""

    def test_forced_colors(self, show):
        """Where the system forces its colours, kinds and parts keep theirs, and the focus is a line, not a shadow."""
        opened = show(scenes.agent_run(2), forced_colors="active")
        opened.page.locator("#tree").focus()
        opened.settle()
        kept = opened.page.evaluate(
            """() => [".k-model .badge", ".k-model .body", ".parts i", ".legend .swatch"]
              .map((each) => getComputedStyle(document.querySelector(each)).backgroundColor)"""
        )
        outline = opened.page.locator(".row.active").evaluate("row => getComputedStyle(row).outlineStyle")
        assert ("solid", True) == (outline, not set(kept) & {"rgb(255, 255, 255)", "rgb(0, 0, 0)", "rgba(0, 0, 0, 0)"})

    def test_paper(self, show):
        """Paper gets dark text on white, the bars, every line in its order, and none of the controls."""
        opened = show(scenes.agent_run(40), theme="dark")
        names = [span.name for span, _ in scenes.agent_run(40).walk()]
        opened.page.get_by_role("button", name="Light theme").click()
        opened.page.get_by_role("button", name="Dark theme").click()
        opened.page.emulate_media(media="print")
        opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        places = opened.page.locator("#tree [data-place]:visible")
        tops = places.evaluate_all("rows => rows.map(row => row.getBoundingClientRect().top)")
        style = "each => [getComputedStyle(each).color, getComputedStyle(each).printColorAdjust]"
        assert (names, sorted(set(tops)), False, ["rgb(27, 32, 38)", "exact"]) == (
            places.locator(".label").all_inner_texts(),
            tops,
            opened.page.locator(".tools").is_visible(),
            [
                opened.page.locator("h1").evaluate(style)[0],
                opened.page.locator(".body:visible").first.evaluate(style)[1],
            ],
        )

    def test_long_run_on_paper(self, show):
        """Of a very long run paper has the first lines, and says how many are left."""
        opened = show(scenes.agent_run(250))
        opened.page.emulate_media(media="print")
        opened.settle()
        lines, left = opened.page.evaluate(
            """() => {
              dispatchEvent(new Event("beforeprint"));
              const tree = document.getElementById("tree");
              const lines = tree.querySelectorAll("[data-place]:not([hidden])").length;
              return [lines, getComputedStyle(tree, "::after").content];
            }"""
        )
        assert (500, '"and 501 more lines, on the screen only"') == (lines, left)


class TestKeyboard:
    """All of it without a mouse."""

    def test_tree(self, show):
        """The arrows walk and fold as the pattern for tree grids says."""
        opened = show(scenes.agent_run(2))
        opened.page.locator("#tree").focus()
        seen = []
        for key in (
            "ArrowDown", "ArrowDown", "End", "Home", "ArrowDown", "ArrowLeft", "ArrowDown", "ArrowUp", "ArrowRight",
            "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft", "PageDown", "PageUp",
        ):  # fmt: skip
            opened.page.keyboard.press(key)
            opened.settle()
            seen.append(opened.active)
        run, one, two = "agent.run.support", "agent.step.1", "agent.step.2"
        assert [one, "llm.chat", "GET", run, one, one, two, one, one, "llm.chat", one, one, run, "GET", run] == seen

    def test_detail(self, show):
        """Enter shows a span, moving on shows the next, Escape closes it and the tree keeps the focus."""
        opened = show(scenes.agent_run(2))
        opened.page.locator("#tree").focus()
        opened.page.keyboard.press("Enter")
        titles = [opened.page.locator("#detail h3 bdi").inner_text()]
        opened.page.keyboard.press("ArrowDown")
        titles.append(opened.page.locator("#detail h3 bdi").inner_text())
        opened.page.keyboard.press("Escape")
        focus = opened.page.evaluate("document.activeElement.id")
        assert (["agent.run.support", "agent.step.1"], "tree", True) == (
            titles,
            focus,
            opened.page.locator("#detail").is_hidden(),
        )

    def test_zoom_and_search(self, show):
        """Z zooms to the span, 0 shows the whole run, a slash goes to the search field."""
        opened = show(scenes.agent_run(4))
        axis = opened.page.locator(".axis")
        opened.page.locator("#tree").focus()
        texts = []
        for key in ("ArrowDown", "z", "0", "+", "Shift+ArrowRight", "-"):
            opened.page.keyboard.press(key)
            texts.append(axis.inner_text())
        opened.page.keyboard.press("/")
        assert (texts[0], "search") == (texts[2], opened.page.evaluate("document.activeElement.id"))
        assert len({texts[0], texts[1], texts[3], texts[4]}) == 4

    def test_every_control_is_reached(self, show):
        """Tab reaches the skip link first, then every control in the order of the page, and shows where it is."""
        opened = show(scenes.agent_run(2))
        reached = {}
        look = """() => {
          const at = document.activeElement;
          return [at.id || at.className || at.tagName, getComputedStyle(at).outlineStyle !== "none"];
        }"""
        for _ in range(60):
            opened.page.keyboard.press("Tab")
            name, outlined = opened.page.evaluate(look)
            if name == "BODY":
                break
            reached[name] = outlined
        wanted = [
            "skip", "theme", "search", "search-only", "expand-all", "collapse-all", "zoom-out", "zoom-in", "zoom-left",
            "zoom-right", "zoom-span", "zoom-reset", "tree", "chart",
        ]  # fmt: skip
        assert (wanted, {True}) == ([name for name in reached if name in wanted], set(reached.values()))

    def test_chart(self, show):
        """The arrows read the bars of the chart, Enter shows the step."""
        opened = show(scenes.agent_run(4))
        chart = opened.page.locator("#tokens .chart")
        chart.focus()
        said = []
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End"):
            opened.page.keyboard.press(key)
            said.append(chart.locator(".readout").inner_text().split(":")[0])
        opened.page.keyboard.press("Enter")
        title = opened.page.locator("#detail h3 bdi").inner_text()
        assert (["step 1", "step 2", "step 1", "step 4"], "agent.step.4") == (said, title)


class TestAccessibility:
    """What a screen reader is told."""

    def test_tree_says_what_it_is(self, show):
        """Rows say their level, their place and whether they are open; the grid says how many there are."""
        opened = show(scenes.agent_run(2))
        tree = opened.page.locator("#tree")
        row = tree.locator("[data-place='1']")
        names = ("aria-level", "aria-expanded", "aria-setsize", "aria-posinset", "aria-rowindex", "aria-selected")
        assert ("treegrid", "10", ["2", "true", "2", "1", "3", "false"]) == (
            tree.get_attribute("role"),
            tree.get_attribute("aria-rowcount"),
            [row.get_attribute(name) for name in names],
        )  # fmt: skip

    def test_every_control_has_a_name(self, show):
        """No button, field or region is without a name."""
        opened = show(scenes.agent_run(2), scenes.agent_run(2, number=2))
        opened.page.locator("#tree [data-place]").first.click()
        snapshot = opened.page.locator("body").aria_snapshot()
        unnamed = [
            line.strip()
            for line in snapshot.splitlines()
            if line.strip().rstrip(":") in {"- button", "- searchbox", "- checkbox", "- region", "- img"}
        ]
        assert [] == unnamed

    def test_no_two_regions_have_one_name(self, show):
        """Who goes from region to region is told where each leads."""
        opened = show(scenes.agent_run(2), scenes.agent_run(2, number=2))
        opened.page.locator("#tree [data-place]").nth(2).click()
        names = re.findall(r'- region "(.*)"', opened.page.locator("body").aria_snapshot())
        assert len(names) == len(set(names)) > len(("Runs", "Waterfall", "All runs", "Bill"))

    def test_row_is_told_in_words(self, show):
        """A row says its kind, its failures and when it was, none of them by a letter, a colour or a bar alone."""
        opened = show(*load(support()))
        row = opened.page.locator("#tree [data-place='0']")
        assert (["Agent run", "1 failure below"], "0.0 ms to 3.42 s, on the critical path") == (
            [each.get_attribute("aria-label") for each in row.get_by_role("img").all()],
            row.get_by_role("gridcell").last.get_attribute("aria-label"),
        )


class TestMany:
    """Five thousand spans."""

    def test_few_rows_are_drawn(self, show):
        """Only the rows in sight have elements, wherever one scrolls to, and the last row is reached."""
        opened = show(scenes.agent_run(1250))
        counts = []
        for top in (0, 40_000, 1e9):
            opened.page.locator("#tree").evaluate("(tree, top) => { tree.scrollTop = top }", top)
            opened.settle()
            counts.append(opened.page.locator("#tree [data-place]").count())
        assert (True, "GET") == (max(counts) < 80, opened.names()[-1])

    def test_rows_are_read_from_the_top(self, show):
        """After scrolling the elements come to stand in the order they are seen in, for who is read to."""
        opened = show(scenes.agent_run(100))
        places = "[...document.querySelectorAll('#tree [data-place]:not([hidden])')].map(row => +row.dataset.place)"
        opened.page.locator("#tree").evaluate("tree => { tree.scrollTop = 3000 }")
        opened.page.wait_for_function(
            f"() => {{ const seen = {places}; return seen[0] > 50 && seen.every((one, at) => one === seen[0] + at); }}"
        )
        seen = opened.page.evaluate(places)
        assert len(seen) > 1
        assert list(range(seen[0], seen[0] + len(seen))) == seen

    def test_scrolling_redraws_each_frame(self, show):
        """While the tree scrolls, every frame shows rows: none is blank."""
        opened = show(scenes.agent_run(1250))
        opened.page.locator("#tree").scroll_into_view_if_needed()
        blank = opened.page.evaluate(
            """() => new Promise(done => {
              const tree = document.getElementById("tree");
              let frames = 0, blank = 0;
              const frame = () => {
                const box = tree.getBoundingClientRect();
                const under = document.elementFromPoint(box.left + 60, box.top + box.height / 2);
                if (!under?.closest("[data-place]")) blank += 1;
                tree.scrollTop += 200;
                if (++frames < 60) requestAnimationFrame(frame); else done(blank);
              };
              requestAnimationFrame(frame);
            })"""
        )
        assert 0 == blank

    def test_search_in_many(self, show):
        """A match far down is found, counted and scrolled to."""
        opened = show(scenes.agent_run(1250))
        opened.page.get_by_role("searchbox").fill("agent.step.1250")
        opened.settle()
        assert ("1 of 1", "agent.step.1250") == (opened.page.locator("#search-count").inner_text(), opened.active)


class TestRuns:
    """Several runs on one page."""

    @pytest.mark.parametrize("width", [360, 1280])
    def test_variants_side_by_side(self, show, width):
        """Each variant is a line with a stroke a run, and says its mean in words."""
        runs = [scenes.agent_run(1 + place % 2, number=place + 1, variant="ab"[place % 2]) for place in range(6)]
        opened = show(*runs, width=width)
        lines = opened.page.locator("#spread svg")
        assert (["a: 3 runs, mean $0.0222", "b: 3 runs, mean $0.0476"], [3, 3], width) == (
            [line.get_attribute("aria-label") for line in lines.all()],
            [line.locator(".each").get_attribute("d").count("M") for line in lines.all()],
            opened.page.evaluate("document.documentElement.scrollWidth"),
        )

    def test_choosing_a_run(self, show):
        """The list shows every run; a click shows one of them below."""
        opened = show(scenes.agent_run(1), scenes.agent_run(3, number=2))
        before = opened.names()
        opened.page.locator("#run-list button").nth(1).click()
        opened.settle()
        assert (5, 13) == (len(before), int(opened.page.locator("#tree").get_attribute("aria-rowcount")) - 1)


class TestAmounts:
    """Amounts that the script writes and those of the model and the terminal."""

    def test_same_words(self, show):
        """The same amount reads the same, whoever writes it."""
        values = [0, 5e-10, 2e-9, 7e-7, 4.4e-5, 9.71e-4, 0.0046, 0.0099999, 0.0994, 0.0996, 0.712, 0.99999, 1, 2.675,
                  9.995, 59.994, 59.995, 59.996, 61.2, 3599.4, 3599.6, 86_400, 1_234_567]  # fmt: skip
        source = (resources.files("agent_callbacks.analysis.report") / "assets" / "format.js").read_text("utf-8")
        wrote = "value => [seconds(value), tokens(Math.round(value)), dollars(value), percent(value)]"
        written = show(scenes.agent_run(1)).page.evaluate(
            f"values => {{ {source}; return values.map({wrote}); }}", values
        )
        amounts = [
            (said(value, "seconds"), said(round(value), "tokens"), said(value, "dollars"), said(value, "share"))
            for value in values
        ]
        assert [[text.replace("\u00a0", " ") for text in each] for each in amounts] == written
