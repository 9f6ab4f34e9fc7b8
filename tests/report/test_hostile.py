"""What spans carry may come from anyone: on the page it is text, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_callbacks.analysis.report import page, render
from agent_callbacks.analysis.report.render import data
from agent_callbacks.analysis.shown import shown, visible
from tests.report import scenes

UNPAIRED = "\ud800"


class Elements(HTMLParser):
    """Collects the elements of a page, with their attributes, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Keep an element."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        """Keep the text of a script or style."""
        tag, attributes = self.found[-1] if self.found else ("", {})
        if tag in {"script", "style"}:
            self.texts.setdefault(attributes.get("type") or tag, data)


@pytest.fixture(scope="module")
def hostile():
    """Give the page of a trace that attacks it everywhere."""
    return render(page([scenes.hostile()], scenes.START))


class TestInBrowser:
    """The page is opened and everything on it is used."""

    @pytest.mark.parametrize(
        "traces", [(scenes.hostile(),), (scenes.hostile(), scenes.agent_run(2))], ids=["one", "several"]
    )
    def test_nothing_runs_and_nothing_leaves(self, show, traces):
        """No payload runs, no request leaves, wherever one clicks; the fixture counts requests and complaints."""
        opened = show(*traces)
        for row in range(opened.page.locator("#tree [data-place]").count()):
            opened.page.locator(f"#tree [data-place='{row}'] .label").click()
            opened.settle()
        for text in scenes.ATTACKS[:4]:
            opened.page.get_by_role("searchbox").fill(text)
        for control in opened.page.locator("main button:visible:not([disabled]), main summary:visible").all():
            if control.is_visible():
                control.click()
        assert (True, 0, 0) == (
            opened.page.evaluate("window.pwned === undefined && ({}).pwned === undefined"),
            opened.page.locator("main a, img, iframe, object, embed, form, base, link").count(),
            opened.page.locator("body :is([onclick], [onload], [onerror], [onmouseover], [style*='evil'])").count(),
        )  # fmt: skip

    def test_text_is_shown_as_it_is(self, show):
        """A payload is read, not run: the detail shows it, with what hides or reorders written out."""
        opened = show(scenes.hostile())
        opened.page.locator("#tree .label", has_text="invoice").click()
        text = opened.page.locator("#detail").inner_text()
        assert ("invoice⟨U+202E⟩gpj.exe⟨U+2066⟩⟨U+200B⟩⟨U+001B⟩]0;owned⟨U+0007⟩⟨U+0000⟩⟨U+D800⟩", []) == (
            next(line for line in text.splitlines() if "invoice" in line).removeprefix("T").strip(),
            re.findall("[\u202a-\u202e\u2066-\u2069\u200b]", text),
        )

    def test_policy_stops_what_is_not_ours(self, show):
        """Were markup ever to get in, the policy would not let it run or fetch."""
        opened = show(scenes.agent_run(1))
        refused = opened.page.evaluate(
            """async () => {
              const refused = [];
              document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
              const script = document.createElement("script");
              try { script.text = "window.pwned = 1"; } catch { refused.push("trusted types"); }
              const image = document.createElement("img");
              image.src = "https://evil.example/x.png";
              document.body.append(image);
              try { document.body.innerHTML = "<b>x</b>"; } catch { refused.push("trusted types"); }
              try { await fetch("https://evil.example/"); } catch { refused.push("fetch"); }
              await new Promise((done) => setTimeout(done, 100));
              return refused;
            }"""
        )
        opened.complaints.clear()  # the browser says what it refused
        opened.asked[1:] = []  # and counts the image it never asked for
        assert {"trusted types", "fetch", "img-src", "connect-src"} <= set(refused)


class TestSource:
    """The file as text."""

    def test_only_our_elements(self, hostile):
        """The elements of an attacked page are those of a harmless one."""
        harmless = render(page([scenes.agent_run(1)], scenes.START))
        kinds = lambda text: {tag for tag, _ in Elements(text).found}  # noqa: E731
        assert kinds(harmless) == kinds(hostile)

    def test_policy_names_our_script_and_style(self, hostile):
        """The policy allows nothing but the one script and the one style sheet, by their hashes."""
        elements = Elements(hostile)
        policy = next(
            each["content"] for tag, each in elements.found if each.get("http-equiv") == "Content-Security-Policy"
        )
        hashed = [
            f"'sha256-{base64.b64encode(hashlib.sha256(elements.texts[kind].encode()).digest()).decode()}'"
            for kind in ("module", "style")
        ]
        wanted = ["default-src 'none'", f"script-src {hashed[0]}", f"style-src {hashed[1]}", "base-uri 'none'",
                  "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"]  # fmt: skip
        assert wanted == policy.split("; ")

    def test_no_address(self):
        """Nothing of ours names an address but the name spaces of HTML and SVG, and comments."""
        text = render(page([scenes.agent_run(1)], scenes.START))
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("//", "/*")))
        assert {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"} == set(
            re.findall(r"https?://[^\s\"'<>)]+", code)
        )

    def test_size(self):
        """Without data the page takes less than 400 KB."""
        text = render(page([scenes.agent_run(1)], scenes.START))
        assert len(text) - len(data(page([scenes.agent_run(1)], scenes.START))) < 400_000

    @given(st.text(max_size=60))
    @settings(max_examples=200, deadline=None)
    def test_data_never_ends_its_element(self, text):
        """Whatever a span is called, the data has no character that HTML or old JavaScript reads, and parses again."""
        scene = scenes.Scene()
        scene.add(None, text, 0, 1, {text: text})
        written = data(page([scene.trace()], scenes.START))
        assert (set(), visible(text)) == (
            set(written) & set("<>&\u2028\u2029"),
            json.loads(written)["runs"][0]["spans"][0]["name"],
        )


class TestShown:
    """Text and values as they reach the page."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("plain, Grüße, 日本語, שלום, 👩‍👩‍👧", "plain, Grüße, 日本語, שלום, 👩‍👩‍👧"),
            ("a\nb\tc", "a\nb\tc"),
            ("a\u202eb\u2066c\u200bd\ufeff", "a⟨U+202E⟩b⟨U+2066⟩c⟨U+200B⟩d⟨U+FEFF⟩"),
            ("\x1b[31m\x00\x9b\xad", "⟨U+001B⟩[31m⟨U+0000⟩⟨U+009B⟩⟨U+00AD⟩"),
            (UNPAIRED + "\U000e0041", "⟨U+D800⟩⟨U+E0041⟩"),
            ("a\u2028b\rc", "a⟨U+2028⟩b⟨U+000D⟩c"),
        ],
    )
    def test_visible(self, text, expected):
        """What hides or reorders is written out; languages, emoji and lines stay as they are."""
        assert expected == visible(text)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (True, True), (None, None), (7, 7), (2**53, str(2**53)), (-(2**70), str(-(2**70))), (0.5, 0.5),
            (float("nan"), "nan"), (float("inf"), "inf"), (("a\x00", 1), ["a⟨U+0000⟩", 1]),
            ({"\x00": (1,)}, {"⟨U+0000⟩": [1]}),
        ],
    )  # fmt: skip
    def test_shown(self, value, expected):
        """A number that JavaScript cannot hold becomes text; all text in a value is visible."""
        assert expected == shown(value)
