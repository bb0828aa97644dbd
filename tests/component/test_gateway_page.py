# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people, in a real browser."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser import Browser, browser, pin_of
from tests.certificates import Authority
from tests.component import pages
from tests.component.contract.standins import standin_with, until
from tests.component.gateways import KEYS, PASSWORDS, Gateway, status, with_tls
from tests.component.pages import Site
from tests.component.test_connect import blocks

PROGRAMS = ["curl", "python", "javascript", "continue", "ollama"]
HOSTILE = '<img src=x onerror="window.stolen=1">\'$(reboot)`\u202e' + "W" * 500


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pages.site(tmp_path_factory.mktemp("page")) as one:
        yield one


@pytest.fixture(scope="module")
def chromium(server: Site) -> Iterator[Browser]:
    with browser(server.trusted) as one:
        yield one


@pytest.fixture
def site(server: Site) -> Iterator[Site]:
    """A gateway as others left it, but for the answers that a test changes."""
    server.reset()
    yield server
    server.gate.set()


@pytest.fixture
def page(chromium: Browser, site: Site) -> Browser:
    """The page as somebody finds it who comes in."""
    chromium.size(1200, 1000)
    chromium.theme("light")
    chromium.open(site.url)
    return chromium


@pytest.fixture
def account(page: Browser) -> Browser:
    """The page of somebody who signed in with a key."""
    page.sign_in(pages.KEY)
    return page


def everything(page: Browser) -> str:
    """All that a page keeps where others could look, and what is in it."""
    return str(
        page.run("""
        const fields = [...document.querySelectorAll("input")].map((field) => field.value);
        const asked = performance.getEntries().map((entry) => entry.name);
        return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, history.state,
            window.name, document.title, document.documentElement.outerHTML, fields, asked, {...globalThis}],
            (name, value) => (value instanceof Window || value instanceof Node ? null : value));
        """)
    )


def kept(page: Browser) -> list[Any]:
    """What a browser keeps of a page beyond its life."""
    stored = "return [localStorage.length, sessionStorage.length, document.cookie]"
    kinds = "return Promise.all([indexedDB.databases(), caches.keys()]).then((all) => all.flat())"
    return [*page.run(stored), page.run(kinds), page.tell("Network.getAllCookies")["cookies"]]


def text(page: Browser) -> str:
    return " ".join(page.driver.find_element("tag name", "body").text.split())


def lines(page: Browser) -> dict[str, str]:
    """What each tab gives to paste."""
    panels = page.run("return [...document.querySelectorAll('[role=tabpanel]')].map((one) => [one.id, one.innerHTML])")
    assert [name for name, _ in panels] == [f"panel-{name}" for name in PROGRAMS]
    script = "return [...document.querySelectorAll(`#panel-${arguments[0]} pre`)].map((one) => one.textContent)"
    return {name: "\n".join(page.run(script, name)) for name in PROGRAMS}


def choose(page: Browser, model: str) -> None:
    Select(page.find("model")).select_by_value(model)


def rows(page: Browser, section: str) -> list[list[str]]:
    script = """return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map(
        (row) => [...row.children].map((cell) => cell.textContent))"""
    return page.run(script, section)


class TestSigningIn:
    def test_a_key_lets_in(self, page: Browser) -> None:
        page.sign_in(f"  {pages.KEY}\t")
        assert page.text("client") == "alice"
        assert "with the key laptop" in page.text("who")
        assert "30 Nov 2026" in page.text("state")
        assert not page.find("entrance").is_displayed()

    def test_a_user_and_a_password_of_any_letters_let_in(self, page: Browser, site: Site) -> None:
        page.sign_in_as(pages.USER, pages.PASSWORD)
        assert "with a password" in page.text("who")
        assert set(site.credentials) == {"", pages.BASIC} or set(site.credentials) == {pages.BASIC}

    def test_a_wrong_key_is_told_and_nothing_of_it_is_kept(self, page: Browser, site: Site) -> None:
        page.sign_in("ghk_wrong")
        assert page.text("entrance-problem") == "This key is wrong, or it is not valid now."
        assert page.focused() == page.find("key")
        assert "ghk_wrong" not in everything(page)
        assert kept(page) == [0, 0, "", [], []]
        assert site.credentials[-1] == "Bearer ghk_wrong"

    def test_a_wrong_password_is_told_and_the_user_can_try_again(self, page: Browser) -> None:
        page.sign_in_as(pages.USER, "wrong word")
        assert page.text("entrance-problem") == "The user or the password is wrong."
        assert "wrong word" not in everything(page)
        page.find("password").send_keys(pages.PASSWORD, Keys.ENTER)
        page.wait("!document.getElementById('account').hidden")

    def test_a_gateway_that_takes_the_other_kind_only_is_told(self, page: Browser, site: Site) -> None:
        site.challenges = pages.CHALLENGES[:1]
        page.sign_in_as(pages.USER, "wrong")
        assert page.text("entrance-problem") == "This gateway takes no passwords: sign in with a key."
        site.challenges = pages.CHALLENGES[1:]
        page.find("with-key").click()
        page.sign_in("wrong")
        assert page.text("entrance-problem") == "This gateway takes no keys: sign in with user and password."

    REFUSALS: list[tuple[int, dict[str, str], str]] = [
        (403, {}, "does not let you see this"),
        (404, {}, "does not tell what was used"),
        (421, {}, "does not go by the name"),
        (429, {"Retry-After": "42"}, "Too many tries or requests. Try again in 42 seconds, at "),
        (429, {}, "Try again in a minute."),
        (429, {"Retry-After": "9" * 300}, "Try again in 24 hours, at "),
        (429, {"Retry-After": "soon"}, "Try again in a minute."),
        (502, {}, "cannot answer just now (status 502)"),
        (503, {"Retry-After": "7"}, "Try again in 7 seconds"),
        (302, {"Location": "https://elsewhere.example/"}, "cannot be reached"),
    ]

    def test_what_went_wrong_is_a_sentence(self, page: Browser, site: Site) -> None:
        for number, headers, told in self.REFUSALS:
            site.refusals["/gatehouse/usage"] = (number, headers)
            page.sign_in(pages.KEY)
            assert told in page.text("entrance-problem")
            assert pages.KEY not in everything(page)

    def test_an_answer_that_is_none_of_the_gateway_is_told(self, page: Browser, site: Site) -> None:
        for answer in [b"<html>A portal", None, b"[1", b""]:
            site.account = answer  # type: ignore[assignment]
            page.sign_in(pages.KEY)
            assert "cannot be read" in page.text("entrance-problem")

    def test_what_a_later_gateway_leaves_out_or_tells_otherwise_breaks_nothing(self, page: Browser, site: Site) -> None:
        odd: list[Any] = [
            None,
            5,
            "x",
            {},
            [],
            {"model": {}, "name": [], "expires": [], "day": 7, "id": None, "limit": "x"},
        ]
        for account in [{}, dict.fromkeys(pages.ACCOUNT, odd), {**pages.ACCOUNT, "usage": {"days": odd}}]:
            site.account, site.models = account, odd
            page.sign_in(pages.KEY)
            assert page.text("state").startswith("As of")
            assert not re.search("NaN|undefined", text(page))
            page.find("sign-out").click()

    def test_a_gateway_that_is_gone_is_told(self, page: Browser) -> None:
        page.tell("Network.enable")
        page.tell("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        try:
            page.sign_in(pages.KEY)
            assert "cannot be reached" in page.text("entrance-problem")
        finally:
            page.tell(
                "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
            )

    def test_what_cannot_be_right_is_not_sent(self, page: Browser, site: Site) -> None:
        for key in ["", " ", "schlüssel", "two words"]:
            page.find("key").clear()
            page.sign_in(key)
            assert "key" in page.text("entrance-problem")
        for user in ["", "a:b"]:
            page.sign_in_as(user, "word")
            assert "user" in page.text("entrance-problem")
        assert set(site.credentials) <= {""}

    def test_the_button_is_where_it_was_when_a_complaint_is_there(self, page: Browser) -> None:
        page.sign_in("wrong")
        page.find("key").send_keys(pages.KEY)
        page.find("enter").click()
        page.wait("document.getElementById('entrance').hidden")


class TestSecrets:
    def test_a_key_is_in_no_storage_cookie_address_or_element(self, account: Browser) -> None:
        assert pages.KEY not in everything(account)
        assert kept(account) == [0, 0, "", [], []]

    def test_a_password_is_in_none_either(self, page: Browser) -> None:
        page.sign_in_as(pages.USER, pages.PASSWORD)
        found = everything(page)
        assert pages.PASSWORD not in found
        assert pages.BASIC.split()[1] not in found
        assert kept(page) == [0, 0, "", [], []]

    def test_signing_out_forgets_all(self, account: Browser, site: Site) -> None:
        account.find("sign-out").click()
        assert account.find("entrance").is_displayed()
        assert account.focused() == account.find("key")
        left = everything(account)
        assert not re.search("alice|laptop|llama|Ab12|412,345", left)
        asked = len(site.credentials)
        account.run("document.getElementById('refresh').click()")
        assert len(site.credentials) == asked

    @pytest.mark.parametrize("path", ["/gatehouse/usage", "/api/tags"])
    def test_an_answer_that_comes_after_signing_out_is_not_shown(self, account: Browser, site: Site, path: str) -> None:
        self.hold(account, site, path)
        account.find("sign-out").click()
        site.gate.set()
        account.wait("!document.querySelector('[aria-busy]')")
        assert account.find("entrance").is_displayed()
        assert "alice" not in everything(account)
        assert account.text("entrance-problem") == ""

    @staticmethod
    def hold(page: Browser, site: Site, path: str) -> None:
        """Refresh, and have the answer of this path wait for the gate."""
        site.held = path
        expected = len(site.credentials) + 1 + (path == "/api/tags")
        page.find("refresh").click()
        assert until(lambda: len(site.credentials) >= expected, 5)

    def test_who_leaves_is_signed_out_also_when_coming_back(self, account: Browser) -> None:
        account.driver.get("about:blank")
        account.driver.back()
        account.wait("!!document.getElementById('host')?.textContent")
        assert account.find("entrance").is_displayed()
        assert not re.search(f"{pages.KEY}|alice", everything(account))

    def test_an_answer_for_somebody_else_is_not_shown(self, account: Browser, site: Site) -> None:
        self.hold(account, site, "/api/tags")
        account.find("sign-out").click()
        account.run("document.getElementById('with-password').click()")
        account.paste("user", pages.USER)
        account.paste("password", pages.PASSWORD)
        account.find("enter").click()
        site.gate.set()
        account.wait_for_answer()
        assert "with a password" in account.text("who")
        assert account.text("account-problem") == ""

    def test_a_key_that_ended_meanwhile_is_signed_out(self, account: Browser, site: Site) -> None:
        site.refusals["/gatehouse/usage"] = (401, {})
        account.find("refresh").click()
        account.wait_for_answer()
        account.wait("!document.getElementById('entrance').hidden")
        assert "You are signed out" in account.text("entrance-problem")
        assert "alice" not in everything(account)


class TestPolicy:
    def test_the_page_does_nothing_that_its_policy_forbids_and_asks_its_own_origin_only(
        self, account: Browser, site: Site
    ) -> None:
        for name in PROGRAMS:
            account.find(f"tab-{name}").click()
        account.find("refresh").click()
        account.run("document.querySelector('details').open = true")
        account.size(375, 800)
        account.find("sign-out").click()
        assert account.violations() == []
        requests = account.requests()
        assert {f"{site.url}/gatehouse/{path}" for path in ["", "page.css", "page.js", "usage"]} <= set(requests)
        assert [url for url in requests if not url.startswith(site.url + "/")] == []

    def test_a_violation_would_be_seen(self, page: Browser) -> None:
        page.run("const one = document.createElement('img'); one.src = 'data:,'; document.body.append(one)")
        page.wait("violations.length")
        assert page.violations()

    def test_the_files_need_nothing_that_the_policy_forbids(self) -> None:
        folder = pages.ROLE / "files" / "page"
        html, script = (folder / "index.html").read_text(), (folder / "page.js").read_text()
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)|https?://(?!www\.gnu\.org)", html)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Storage|cookie", script)


class TestNamesAndNumbers:
    @pytest.fixture
    def hostile(self, page: Browser, site: Site) -> Browser:
        """The page of a client whose every name and number somebody else chose."""
        site.account |= {"client": HOSTILE, "key": HOSTILE, "scopes": [HOSTILE], "models": [HOSTILE]}
        names = ["requests_per_minute", "tokens_per_day", HOSTILE]
        site.account["limits"] = [pages.limit(name, 10**12, 10**300, HOSTILE, 10**300) for name in names]
        site.account["limits"] += [pages.limit("max_context", 10**300), pages.limit("keep_alive", 0)]
        site.account["keys"] = [pages.key(HOSTILE, 3, last4=HOSTILE, in_path=True)]
        site.account["usage"]["days"] += [pages.day(0, HOSTILE, 10**300, 10**307, 10**307)]
        site.account["usage"]["days"] += [{"day": HOSTILE, "model": {}, "requests": HOSTILE}]
        site.models = [pages.model(HOSTILE, 10**300, HOSTILE), {"name": 5}, pages.model("tiny")]
        page.sign_in(pages.KEY)
        return page

    def test_names_are_text_and_no_elements(self, hostile: Browser) -> None:
        assert "<img src=x" in hostile.text("client")
        assert hostile.run("return [document.images.length, window.stolen ?? null]") == [0, None]
        assert any("<img src=x" in name for name, *_ in rows(hostile, "models"))
        assert hostile.violations() == []

    def test_a_name_that_means_something_to_a_shell_is_in_no_line_to_paste(self, hostile: Browser) -> None:
        found = "".join(lines(hostile).values())
        assert "tiny" in found
        assert not re.search("reboot|img", found)

    def test_signs_that_turn_others_round_are_not_shown(self, hostile: Browser) -> None:
        assert "\u202e" not in text(hostile)

    def test_nothing_is_wider_than_the_window(self, hostile: Browser) -> None:
        hostile.run("document.querySelector('details').open = true")
        for width in (1200, 800, 375, 320):
            hostile.size(width, 800)
            assert hostile.run("return document.documentElement.scrollWidth") <= width
        assert not re.search("NaN|Infinity|undefined|null|e\\+", text(hostile))


class TestLooks:
    CONTRAST = Path(__file__).with_name("contrast.js").read_text()

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_letters_stand_out_in_both_themes(self, page: Browser, site: Site, theme: str) -> None:
        page.theme(theme)
        site.account["usage"]["is_complete"] = False
        page.sign_in("wrong")
        entrance = page.run(self.CONTRAST)
        page.sign_in(pages.KEY)
        page.run("for (const one of document.querySelectorAll('[role=tabpanel]')) one.hidden = false")
        page.run("document.querySelector('details').open = true")
        found = [*entrance, *page.run(self.CONTRAST)]
        assert len(found) > 150
        assert [one for one in found if one["contrast"] < 4.5] == []

    def test_the_themes_differ(self, page: Browser) -> None:
        colour = "return getComputedStyle(document.body).backgroundColor"
        light = page.run(colour)
        page.theme("dark")
        assert page.run(colour) != light

    def test_a_telephone_scrolls_in_one_direction_only(self, account: Browser) -> None:
        for width in (375, 320):
            account.size(width, 700, mobile=True)
            for name in PROGRAMS:
                account.find(f"tab-{name}").click()
                assert account.run("return [document.documentElement.scrollWidth, innerWidth]") == [width, width]

    def test_the_chart_is_as_wide_as_there_is_room(self, account: Browser) -> None:
        wide = "document.querySelector('.chart svg').getBoundingClientRect().width"
        before = account.run(f"return {wide}")
        account.size(375, 700)
        account.wait(f"{wide} < 340")
        assert before > 800


class TestKeyboard:
    def test_somebody_signs_in_and_gets_everywhere_without_a_mouse(self, page: Browser) -> None:
        page.press(Keys.TAB, Keys.ARROW_RIGHT, Keys.TAB)
        assert page.focused() == page.find("user")
        page.press(pages.USER, Keys.TAB, pages.PASSWORD, Keys.ENTER)
        page.wait_for_answer()
        assert page.focused() == page.find("client")
        seen = self.walk(page)
        script = """return [...document.querySelectorAll("button, select, summary")]
            .filter((one) => one.checkVisibility() && one.tabIndex >= 0).map((one) => one.id || one.textContent)"""
        wanted = set(page.run(script)) | {"panel-curl"}
        assert {"refresh", "sign-out", "model", "tab-curl", "Copy"} < wanted
        assert wanted - set(seen) == set()
        assert [name for name, outline in seen.items() if outline == "none"] == []

    @staticmethod
    def walk(page: Browser) -> dict[str, str]:
        """What Tab reaches until it comes round, with the outlines that show where it is."""
        script = """const one = document.activeElement;
            return [one.id || one.textContent, getComputedStyle(one).outlineStyle, one === document.body]"""
        seen: dict[str, str] = {}
        for _ in range(60):
            page.press(Keys.TAB)
            name, outline, is_end = page.run(script)
            if name == "refresh" and name in seen:
                break
            seen |= {} if is_end else {name: outline}
        return seen

    def test_tabs_are_changed_by_arrows(self, account: Browser) -> None:
        account.find("tab-curl").send_keys(Keys.ARROW_RIGHT)
        steps = [(Keys.ARROW_RIGHT, "javascript"), (Keys.END, "ollama"), (Keys.ARROW_RIGHT, "curl")]
        steps += [(Keys.ARROW_LEFT, "ollama"), (Keys.HOME, "curl"), (Keys.ARROW_RIGHT, "python")]
        for key, name in steps:
            account.press(key)
            assert account.focused() == account.find(f"tab-{name}")
            shown = [one.get_attribute("id") for one in account.all("[role=tabpanel]") if one.is_displayed()]
            assert shown == [f"panel-{name}"]
            assert [one.text.lower() for one in account.all("[aria-selected=true]")] == [name]

    def test_buttons_are_pressed_by_keys(self, account: Browser) -> None:
        account.find("sign-out").send_keys(Keys.SPACE)
        assert account.find("entrance").is_displayed()


class TestLines:
    def test_no_line_holds_a_key(self, account: Browser, site: Site) -> None:
        found = lines(account)
        for name in PROGRAMS:
            assert pages.KEY not in found[name]
            assert "GATEHOUSE_KEY" in found[name]
            assert site.url in found[name]

    def test_what_is_copied_is_what_is_shown(self, account: Browser, site: Site) -> None:
        allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        account.tell("Browser.grantPermissions", origin=site.url, permissions=allowed)
        boxes = [*account.all("#environment .paste"), *account.all("#panels .paste")]
        assert len(boxes) == 1 + len(PROGRAMS)
        for box in boxes:
            tab = box.find_element("xpath", "..").get_attribute("aria-labelledby")
            if tab:
                account.find(tab).click()
            box.find_element("tag name", "button").click()
            account.wait("document.getElementById('copied').textContent.includes('copied')")
            copied = account.run("return navigator.clipboard.readText()")
            assert copied == box.find_element("tag name", "pre").text
            account.run("document.getElementById('copied').textContent = ''")

    def test_without_a_clipboard_the_browser_copies(self, account: Browser) -> None:
        account.run("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        button = account.all("#panel-curl button")[0]
        button.click()
        assert button.text == "Copied"
        assert account.run("return getSelection().toString()").strip() == lines(account)["curl"]

    def test_the_chosen_model_stands_in_the_lines(self, account: Browser) -> None:
        assert "llama3.3:70b" in lines(account)["curl"]
        choose(account, "tiny:latest")
        found = lines(account)
        assert all("tiny:latest" in found[name] and "llama3" not in found[name] for name in PROGRAMS)

    def test_lines_are_those_of_the_documentation(self, account: Browser, site: Site) -> None:
        choose(account, "tiny:latest")
        found = {name: one.replace("tiny:latest", "tiny") for name, one in lines(account).items()}
        documented = blocks("OpenAI's SDK", "python")[0].replace('os.environ["GATEHOUSE_URL"] + "', f'"{site.url}')
        assert found["python"].strip() == documented.strip()
        plain = [line.replace('--cacert "$GATEHOUSE_CA" ', "") for line in blocks("curl", "shell")[0].splitlines()]
        wanted = "\n".join(plain).replace("$GATEHOUSE_URL", site.url)
        assert sorted(found["curl"].split()) == sorted(wanted.split())
        (shown,), (told,) = (yaml.safe_load(one)["models"] for one in (found["continue"], *blocks("Continue", "yaml")))
        assert shown == {**told, "apiBase": f"{site.url}/v1", "apiKey": "${{ secrets.GATEHOUSE_KEY }}"}

    def test_shell_and_node_can_read_them(self, account: Browser, tmp_path: Path) -> None:
        found = lines(account)
        (tmp_path / "ask.mjs").write_text(found["javascript"])
        commands = [["bash", "-n", "-c", found["curl"]], ["bash", "-n", "-c", found["ollama"]]]
        for command in [*commands, ["node", "--check", str(tmp_path / "ask.mjs")]]:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            assert (done.returncode, done.stderr) == (0, "")

    def test_the_line_for_ollama_needs_a_key_that_may_stand_in_the_path(self, account: Browser, site: Site) -> None:
        account.find("tab-ollama").click()
        assert f'OLLAMA_HOST="{site.url}/key/$GATEHOUSE_KEY" ollama run' in lines(account)["ollama"]
        assert "editor" in account.text("panel-ollama")
        for key in site.account["keys"]:
            key["in_path"] = not key["is_valid"]
        account.find("refresh").click()
        account.wait("document.getElementById('panel-ollama').textContent.includes('in_path: true')")
        assert lines(account)["ollama"] == ""

    def test_somebody_without_keys_gets_lines_for_a_password(self, page: Browser, site: Site) -> None:
        site.account |= {"keys": [], "key": None}
        page.sign_in_as(pages.USER, pages.PASSWORD)
        assert "-u alice" in lines(page)["curl"]
        assert "GATEHOUSE_KEY" not in lines(page)["curl"]
        page.find("tab-python").click()
        assert "needs a key" in page.text("panel-python")


class TestWhatIsShown:
    def test_limits_say_what_is_used_and_left(self, account: Browser) -> None:
        found = account.text("limits")
        assert "3 of 60 used, 57 left, full again in 41 seconds" in found
        assert "Tokens per minute nearly used up" in found
        assert "Tokens per day of llama3.3* used up" in found
        bounds = [one.text for one in account.all(".bounds div")]
        assert bounds == ["Longest context: 16,384 tokens", "Longest time in memory: 30 minutes"]
        assert len(account.all(".bar svg")) == 5

    def test_usage_is_a_chart_and_tables_that_agree(self, account: Browser, site: Site) -> None:
        total = sum(one["prompt_tokens"] + one["completion_tokens"] for one in site.account["usage"]["days"])
        assert len(account.all(".chart .day")) == 30
        assert account.all(".chart svg")[0].get_attribute("aria-label")
        sums = account.run("return [...document.querySelectorAll('#usage tfoot td')].map((one) => one.textContent)")
        assert sums[-1] == f"{total:,}"
        days = [row for row in rows(account, "usage") if re.match(r"\d{4}-", row[0])]
        assert sum(int(row[-1].replace(",", "")) for row in days) == total
        assert days[0][0] == site.account["usage"]["days"][0]["day"]

    def test_the_heights_of_a_day_are_its_tokens(self, page: Browser, site: Site) -> None:
        site.account["usage"]["days"] = [pages.day(0, "tiny", 1, 10, 30), pages.day(5, "tiny", 1, 40, 0)]
        page.sign_in(pages.KEY)
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => Number(one.getAttribute('height')))"
        prompts, completions = (page.run(script, f".day .{kind}") for kind in ("prompt", "completion"))
        assert prompts[0] == pytest.approx(4 * prompts[1])
        assert completions == [pytest.approx(3 * prompts[1])]

    def test_keys_say_how_long_they_are_good(self, account: Browser) -> None:
        found = {row[0]: row for row in rows(account, "keys")}
        assert found["laptopin use here"][1:] == ["…Ab12", *found["laptopin use here"][2:4], "validends in 32 days"]
        assert found["ci"][-1] == "validends in 9 days"
        assert found["ci~old"][-1] == "replacedends in 19 hours"
        assert found["editormay stand in the path"][-2:] == ["never", "valid"]
        assert found["next"][-1] == "not valid yet"
        assert found["former"][-1] == "ended"
        warned = {one.text for one in account.all("#keys .warn")}
        assert warned == {"ends in 9 days", "replaced", "ends in 19 hours"}
        assert "~old at the end of its id was replaced" in account.text("keys")

    def test_models_are_those_that_the_gateway_lists(self, account: Browser) -> None:
        assert rows(account, "models")[0] == ["llama3.3:70b", "70.6B", "Q4_K_M", "42.5\u00a0GB"]
        assert len(rows(account, "models")) == 3

    def test_who_may_not_list_models_sees_the_names_that_count(self, page: Browser, site: Site) -> None:
        site.refusals["/api/tags"] = (403, {})
        site.account |= {"models": ["llama3.2", "qwen3*"], "scopes": ["inference"]}
        page.sign_in(pages.KEY)
        assert "lacks the scope models_read" in page.text("models")
        assert [one.text for one in page.all("#models li")] == ["llama3.2", "qwen3*"]
        assert "llama3.2" in lines(page)["curl"]

    def test_who_may_not_use_models_is_told(self, page: Browser, site: Site) -> None:
        site.account["scopes"] = ["models_read"]
        page.sign_in(pages.KEY)
        assert "lacks the scope inference" in page.text("models")
        assert not page.find("connect").is_displayed()

    def test_models_that_cannot_be_had_just_now_hide_nothing_else(self, page: Browser, site: Site) -> None:
        site.refusals["/api/tags"] = (502, {})
        page.sign_in(pages.KEY)
        assert "status 502" in page.text("models")
        assert page.all(".chart .day")

    def test_long_tables_are_shortened_until_somebody_wants_all(self, page: Browser, site: Site) -> None:
        site.models = [pages.model(f"model-{at}") for at in range(200)]
        page.sign_in(pages.KEY)
        assert len(rows(page, "models")) == 15
        page.find("models").find_element("tag name", "button").click()
        assert len(rows(page, "models")) == 200

    def test_nothing_at_all_is_said_in_words(self, page: Browser, site: Site) -> None:
        site.models = []
        site.account |= {"limits": [], "keys": [], "key": None}
        site.account["usage"] |= {"days": [], "is_complete": False}
        page.sign_in(pages.KEY)
        assert page.text("limits") == "No limits are set for you."
        assert page.text("keys") == "You have no keys."
        assert page.text("models") == "There is no model that you may use yet."
        assert "Nothing was used since 1 Nov." in page.text("usage")
        assert "still reads what was used before" in page.text("usage")

    def test_a_gateway_that_counts_nothing_is_said_to(self, page: Browser, site: Site) -> None:
        site.account["usage"] = None
        page.sign_in(pages.KEY)
        assert page.text("usage") == "This gateway does not count what is used."


class TestRefreshing:
    def test_new_numbers_come_with_their_time(self, account: Browser, site: Site) -> None:
        account.run("document.querySelector('details').open = true")
        site.account["limits"][0] |= {"used": 44, "remaining": 16}
        site.account["time"] = pages.stamp(0.01)
        account.find("refresh").click()
        account.wait("document.getElementById('limits').textContent.includes('44 of 60')")
        assert "12:14:24" in account.text("state")
        assert account.run("return document.querySelector('details').open") is True

    def test_what_cannot_be_refreshed_stays_and_is_said_to_be_older(self, account: Browser, site: Site) -> None:
        site.refusals["/gatehouse/usage"] = (503, {})
        account.find("refresh").click()
        account.wait("document.getElementById('account-problem').textContent")
        assert "What you see is older." in account.text("account-problem")
        assert "3 of 60" in account.text("limits")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as it is deployed, of clients of whom one has limits."""
    authority, names = Authority(), ["127.0.0.1"]
    issued = authority.issue(*names)
    with standin_with(tmp_path_factory.mktemp("ollama"), "tiny") as ollama:
        one = Gateway(tmp_path_factory.mktemp("real"), "both", ollama.address, **with_tls(names))
        one.present(issued, authority)
        rights: dict[str, Any] = {name: {"scopes": ["inference", "models_read"], "models": ["*"]} for name in PASSWORDS}
        rights["alice"]["limits"] = {"requests_per_minute": 10, "tokens_per_day": 10_000}
        one.permit(rights)
        with one.running():
            yield one


def test_a_real_gateway_serves_it_and_what_it_shows_is_what_that_gateway_counted(real: Gateway) -> None:
    body = b'{"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}'
    key = f"Authorization: Bearer {KEYS['alice.laptop']}"
    assert status(real.ask("/api/chat", key, method="POST", body=body)) == 200
    assert until(lambda: real.ledger_lines())
    (line,) = real.ledger_lines()
    host, port = real.address.split(":")
    url = f"https://{real.address}"
    with browser(pin_of(host, int(port), real.folder / "ca.pem")) as page:
        page.open(url)
        page.sign_in("ghk_nobody")
        assert "key" in page.text("entrance-problem")
        page.sign_in(KEYS["alice.laptop"])
        shown = text(page)
        for wanted in ("alice", "1 of 10 used", "tiny:latest", f"{line['prompt_tokens'] + line['completion_tokens']}"):
            assert wanted in shown, shown
        assert page.violations() == []
        assert {asked.partition("/gatehouse/")[0].partition("/api/")[0] for asked in page.requests()} == {url}
        page.open(url)
        page.sign_in_as("bob", PASSWORDS["bob"])
        assert "bob" in text(page)
        assert page.violations() == []
