"""The console in Chromium over a real control API, with the services around it played by one."""

import os
from typing import Any

import pytest
from control_rigs.console import Running, opened, post, signed_in
from twins.process import missing

from headwater.console.pages import PAGES
from headwater.settings import Demo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AXE = Demo().assets_dir / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
SHOTS = os.environ.get("HEADWATER_SHOTS", "")  # a folder: every page in every look
LOOKS = [("light", 390), ("light", 1280), ("dark", 1280), ("dark", 390)][: 4 if SHOTS else 1]
SHOWN = "/at \\d/.test(document.getElementById('word').textContent)"
DEEP = {"channels": "#demo", "titles": "#cnt_film", "webhooks": "#whk_paused"}


def test_who_is_not_signed_in_sees_the_door_and_can_go_in(tab: Any, running: Running) -> None:
    tab.goto(running.url)
    tab.wait_for_url("**/overview")
    tab.locator("#sign-in").wait_for()
    assert not tab.locator("#content").is_visible()
    tab.fill("input[name=token]", "a.b.c")
    tab.keyboard.press("Enter")
    tab.get_by_text("The sign-in is over or the token is not good").wait_for()
    tab.fill("input[name=token]", running.viewer)
    tab.keyboard.press("Enter")
    tab.get_by_text("This page needs an operator's token").wait_for()
    tab.fill("input[name=token]", running.reader)
    tab.keyboard.press("Enter")
    tab.get_by_text("read only").wait_for()


def test_pages_answer_their_questions(tab: Any, running: Running) -> None:
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    signed_in(tab, running, running.operator)
    text = opened(tab, running, "/overview", "4 things are wrong")
    assert "proxy is not ready: keys: no key file" in text and "nothing new for 73 s" in text
    assert "CDN-B in DE: breaker open" in text and "operator" in text
    assert "events: 1 dead letter" in text
    assert "42" in text and "16.2 Mbit/s" in text and "0 of 0 answers" in text
    tab.keyboard.press("2")
    tab.wait_for_url("**/channels")
    text = opened(tab, running, "/channels#demo", "640x360 · 1.50 Mbit/s")
    assert "0:00:10" in text and "4.0 s" in text and "not in the catalogue" not in text
    text = opened(tab, running, "/titles#cnt_film", "/vod/film/")
    assert "to archived" in text and "The Vault" in text
    text = opened(tab, running, "/guide", "The Evening News")
    tab.get_by_text("The Evening News").first.click()
    tab.get_by_text("At length").wait_for()
    assert "never" in tab.locator("#sources").inner_text()
    tab.goto(f"{running.url}/settings")
    tab.get_by_text("control.heartbeat_s", exact=True).wait_for()
    tab.fill("input[name=text]", "sql.")
    tab.check("input[name=said]")
    tab.get_by_text("env HEADWATER_SQL__URL").wait_for()
    text = tab.locator("#settings tbody").inner_text()
    assert "sql.url" in text and "hunter2" not in text and "heartbeat" not in text
    assert "no_media" in opened(tab, running, "/recordings", "A night at the opera")
    assert "412\t33\tunavailable" in tab.locator("#copying tbody").inner_text()
    latest = tab.locator("#latest tbody tr")
    assert latest.count() == 50 and latest.get_by_text("Old 000").count() == 0
    tab.get_by_role("button", name="More").click()
    latest.get_by_text("Old 000").wait_for()
    tab.select_option("select[name=state]", "failed")
    latest.get_by_text("Old 059").wait_for(state="detached")
    assert latest.count() == 1 and "A night at the opera" in latest.inner_text()
    tab.fill("input[name=account_id]", "acc_nobody")
    latest.wait_for(state="detached")
    tab.goto(f"{running.url}/titles")
    tab.get_by_text("The Vault").wait_for()
    tab.fill("input[name=q]", "PROTECTED")
    tab.get_by_text("The Vault").wait_for(state="detached")
    assert tab.locator("#titles tbody tr").count() == 1
    assert "No session has this id" in opened(tab, running, "/sessions#ses_none", "No session has")
    text = opened(tab, running, f"/sessions#{running.session_id}", "Why it went there")
    cti = tab.locator("dd code").nth(1).inner_text()
    assert f"No record of {cti}: The router at " in text
    assert running.session_id in opened(tab, running, f"/sessions#{cti}", "Why it went there")
    assert tab.request.get(f"{running.url}/console/0/console.js").status == 404
    assert faults == []


def test_anybody_sees_the_state_and_the_description(tab: Any, running: Running) -> None:
    """`/status` and `/docs` without sign-in, and without another host."""
    tab.goto(f"{running.url}/overview")
    tab.evaluate("sessionStorage.clear()")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    text = opened(tab, running, "/status", "Not well: proxy")
    assert "database" in text and "store" in text and "no key file" not in text
    opened(tab, running, "/docs", "/v1/recording-rules")
    tab.fill("input[name=text]", "bookmarks")
    tab.get_by_text("GET /v1/recording-rules", exact=True).wait_for(state="detached")
    tab.get_by_text("PUT /v1/bookmarks/{content}", exact=True).click()
    unfolded = tab.locator("#operations details[open]")
    unfolded.get_by_text("application/problem+json").first.wait_for()
    unfolded.locator("a").first.click()
    tab.locator("#types details[open]").wait_for()
    asked = [each for each in asked if not each.startswith(("data:", running.url))]
    assert asked == []


def test_an_operator_judges_replays_and_terminates(tab: Any, running: Running) -> None:
    signed_in(tab, running, running.operator)
    issued = post(f"{running.url}/v1/tokens", running.issuing, {"ttl_s": 3_600})["token"]
    opened(tab, running, "/tokens", "Judge")
    tab.fill("textarea", issued)
    tab.get_by_role("button", name="Judge").click()
    tab.locator("#verdict[data-state=ok]").wait_for()
    assert "cloudfront, akamai, lambda, fastly" in tab.locator("#claims").inner_text()
    tab.fill("textarea", issued[:-6] + "AAAAAA")
    tab.get_by_role("button", name="Judge").click()
    tab.locator("#verdict[data-state=bad]").wait_for()
    opened(tab, running, "/events", "the index was away")
    tab.locator("#letters a").click()
    tab.get_by_role("button", name="Replay").click()
    tab.get_by_text("it was replayed or dropped").wait_for()
    opened(tab, running, f"/sessions#{running.session_id}", "running")
    tab.get_by_role("button", name="Terminate").click()
    tab.get_by_text("over: support").wait_for()


def test_an_operator_switches_purges_and_brings_a_guide(tab: Any, running: Running) -> None:
    """By keys alone, and each leaves something to look at."""
    signed_in(tab, running, running.operator)
    opened(tab, running, "/settings", "Switch off")
    row = "#flags tr:has(code:text-is('{}'))"
    switch, share = (tab.locator(row.format(name)) for name in ("search", "starts"))
    for said in ("Switch on", "Switch off"):
        switch.get_by_role("button").press("Enter")
        switch.get_by_role("button", name=said).wait_for()
    asked: list[str] = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    for percent, kind in (("", "ok"), ("0", "warn"), ("40", "warn"), ("100", "ok")):
        share.locator("input").fill(percent)
        share.get_by_role("button").press("Enter")
        share.locator(f"[data-state={kind}]", has_text=f"{percent} %").wait_for()
    opened(tab, running, "/jobs", "Ask for the purge")
    tab.select_option("#purge select", "path")
    tab.fill("#purge input[name=value]", "/live/")
    tab.keyboard.press("Enter")
    tab.get_by_text("2 CDNs were asked for /live/.").wait_for()
    assert asked == ["starts for no account at all?", "All below /live/, at every CDN?"]
    tab.locator("#jobs tr", has_text="purge").locator("a").press("Enter")
    tab.locator("#report", has_text='"state": "asked"').wait_for()
    opened(tab, running, "/guide", "Bring a guide")
    guide = b'<tv><programme channel="x" start="soon"><title>?</title></programme></tv>'
    file: Any = {"name": "g.xml", "mimeType": "text/xml", "buffer": guide}
    tab.set_input_files("#upload input[type=file]", file)
    tab.locator("#upload button").press("Enter")
    tab.get_by_text("1 of 1 rows have no good time").wait_for()
    tab.get_by_role("button", name="Apply what is held").press("Enter")
    tab.locator("#brought", has_text="applied").wait_for()


@pytest.mark.timeout(900)  # axe takes its time over the description of the whole API
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_is_for_everybody(tab: Any, running: Running, scheme: str, width: int) -> None:
    """WCAG 2.1 A and AA as axe sees them, and no page wider than a phone."""
    if not AXE.exists():
        missing("npm's axe-core is not installed")
    signed_in(tab, running, running.operator)
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    found = []
    for page in (each for each in PAGES if each.name != "router"):
        tab.goto(f"{running.url}/{page.name}{DEEP.get(page.name, '')}")
        tab.wait_for_function(SHOWN)
        tab.evaluate(AXE.read_text())
        seen = tab.evaluate("tags => axe.run(document, { runOnly: tags })", WCAG)
        for broken in seen["violations"]:
            found += [(page.name, broken["id"], each["html"]) for each in broken["nodes"]]
        wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        found += [(page.name, "wider than the window", f"{wide} px")] if wide > 0 else []
        if SHOTS:
            tab.screenshot(
                path=f"{SHOTS}/{page.name}-{scheme}-{width}.png", full_page=page.name != "settings"
            )
    assert found == []


def test_a_keyboard_is_enough(tab: Any, running: Running) -> None:
    """Skip link first, then the pages; digits go to them, `/` to the first field."""
    signed_in(tab, running, running.operator)
    tab.goto(f"{running.url}/sessions")
    tab.wait_for_function(SHOWN)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to content"
    tab.keyboard.press("Enter")
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.name") == "id"
    tab.keyboard.type("ses_none")
    tab.keyboard.press("Enter")
    tab.get_by_text("No session has this id").wait_for()
    tab.locator("h1").click()
    tab.keyboard.press("0")
    tab.wait_for_url("**/router")
    tab.keyboard.press("9")
    tab.wait_for_url("**/settings")


def test_a_reader_sees_the_pages_without_a_button_that_acts(tab: Any, running: Running) -> None:
    signed_in(tab, running, running.reader)
    opened(tab, running, f"/sessions#{running.session_id}", "Heard of")
    assert tab.get_by_role("button", name="Terminate").count() == 0
    opened(tab, running, "/titles#cnt_film", "/vod/film/")
    assert tab.get_by_role("button", name="to archived").count() == 0
    for name in ("channels", "recordings", "tokens", "events", "jobs", "settings", "guide"):
        tab.goto(f"{running.url}/{name}")
        tab.wait_for_function(SHOWN)
        assert tab.locator("#purging:visible, #bring:visible, #flags button").count() == 0
        assert tab.locator("#trouble").inner_text() == "", name
