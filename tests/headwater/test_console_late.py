"""Answers that come late, in Chromium: what was asked for since is what stands there."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from control_rigs.console import Running, opened, post, signed_in
from playwright.sync_api import Route

from headwater.console.readings import WAITS_S

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# Fetches of `part` wait, without a limit; `letGo()` sends them, `held` is their number.
HOLD = """part => {
  const ask = fetch, waiting = [];
  globalThis.fetch = async (path, how) => {
    if (!path.includes(part)) return ask(path, how);
    globalThis.held = globalThis.open = waiting.length + 1;
    await new Promise(go => waiting.push(go));
    return ask(path, { ...how, signal: null }).finally(() => { globalThis.open -= 1; });
  };
  globalThis.letGo = () => { globalThis.fetch = ask; waiting.forEach(go => go()); };
}"""


def hold(tab: Any, part: str) -> Callable[[], None]:
    tab.evaluate(HOLD, part)
    return lambda: tab.evaluate("letGo()")


def answer(body: Any, route: Route) -> None:
    route.fulfill(json=body)


def settled(tab: Any) -> None:
    """Once what was let go has been answered and handled, and so a look asked for after it."""
    tab.wait_for_function("globalThis.open === 0")
    tab.evaluate("fetch('/status.json').then(said => said.text())")


def look(tab: Any) -> None:
    """A poll before its time, answered and handled, and so is the next answer."""
    with tab.expect_response("**/v1/admin/dlq?**"):
        tab.evaluate("dispatchEvent(new Event('hashchange'))")
    tab.evaluate("fetch('/status.json').then(said => said.text())")


def wait_held(tab: Any) -> None:
    tab.wait_for_function("globalThis.held > 0")


@pytest.fixture
def fifty_more(running: Running) -> None:
    for number in range(60):
        document = {"kind": "movie", "texts": [{"lang": "en", "title": f"Many {number:03}"}]}
        post(f"{running.url}/v1/catalog/contents", running.operator, document)


def test_more_of_another_list_is_left_out(tab: Any, running: Running, fifty_more: None) -> None:
    signed_in(tab, running, running.operator)
    opened(tab, running, "/titles", "Many 059")
    go = hold(tab, "cursor=")
    tab.get_by_role("button", name="More").click()
    wait_held(tab)
    tab.fill("input[name=q]", "PROTECTED")
    rows = tab.locator("#titles tbody tr")
    rows.get_by_text("Many").first.wait_for(state="detached")
    go()
    settled(tab)
    assert rows.count() == 1 and "Many" not in rows.inner_text()
    opened(tab, running, "/recordings", "A night at the opera")
    go = hold(tab, "cursor=")
    tab.get_by_role("button", name="More").click()
    wait_held(tab)
    tab.select_option("select[name=state]", "failed")
    rows = tab.locator("#latest tbody tr")
    rows.get_by_text("Old 059").wait_for(state="detached")
    go()
    settled(tab)
    assert rows.count() == 1 and "opera" in rows.inner_text()


def test_an_older_title_is_not_drawn_over_the_newer(tab: Any, running: Running) -> None:
    """Nor an older letter, whose buttons would drop it under the newer one's name."""
    made = {"kind": "movie", "texts": [{"lang": "en", "title": "Slow"}]}
    slow = post(f"{running.url}/v1/catalog/contents", running.operator, made)["id"]
    signed_in(tab, running, running.operator)
    opened(tab, running, "/titles", "The Vault")
    go = hold(tab, f"{slow}/assets")
    tab.evaluate("id => { location.hash = id; }", slow)
    wait_held(tab)
    tab.evaluate("location.hash = 'cnt_film'")
    tab.get_by_role("button", name="to archived").wait_for()
    go()
    settled(tab)
    assert tab.get_by_role("button", name="to review").count() == 0
    opened(tab, running, "/events", "the index was away")
    go = hold(tab, "dlq_gone")
    tab.evaluate("location.hash = 'dlq_gone'")
    wait_held(tab)
    tab.locator("#letters a").click()
    tab.get_by_role("button", name="Drop").wait_for()
    go()
    settled(tab)
    assert tab.get_by_role("button", name="Drop").count() == 1
    assert tab.locator("#name").inner_text() in tab.locator("#letters").inner_text()


@pytest.mark.parametrize("name", ["Replay", "Put all back on their way"])
def test_what_is_under_way_cannot_be_asked_for_again(tab: Any, running: Running, name: str) -> None:
    """However often the page is drawn anew meanwhile."""
    signed_in(tab, running, running.operator)
    opened(tab, running, "/events", "the index was away")
    tab.locator("#letters a").click()
    button = tab.get_by_role("button", name=name)
    button.wait_for()
    go = hold(tab, "/replay")
    button.click()
    wait_held(tab)
    before = button.element_handle()
    tab.wait_for_function("old => !old.isConnected", arg=before)
    assert button.is_disabled()
    go()
    done = "it was replayed or dropped" if name == "Replay" else "replay of dead letters"
    tab.get_by_text(done).first.wait_for()


def test_a_press_that_a_look_comes_into_is_one(tab: Any, running: Running) -> None:
    """Nodes are drawn anew once it is over: a click and a space begin and end on the same one."""
    signed_in(tab, running, running.operator)
    opened(tab, running, "/events", "the index was away")
    letter, drop = tab.locator("#letters a"), tab.get_by_role("button", name="Drop")
    tab.on("dialog", lambda dialog: dialog.accept())
    letter.hover()
    tab.mouse.down()
    look(tab)
    tab.mouse.up()
    drop.focus()
    tab.keyboard.down(" ")
    look(tab)
    tab.keyboard.up(" ")
    tab.get_by_text("it was replayed or dropped").wait_for()


def test_a_reason_outlives_the_next_poll(tab: Any, running: Running) -> None:
    """The token that an action found bad is gone: the poll after it has none to complain of."""
    signed_in(tab, running, running.operator)
    opened(tab, running, "/events", "the index was away")
    tab.locator("#letters a").click()
    tab.get_by_role("button", name="Replay").wait_for()
    refused = {"status": 401, "json": {"code": "unauthorized", "detail": "no"}}
    tab.route(re.compile("/replay$"), lambda route: route.fulfill(**refused))
    with tab.expect_response(lambda said: "/outbox" in said.url and said.status == 401):
        tab.get_by_role("button", name="Replay").click()
    tab.evaluate("fetch('/status.json').then(said => said.text())")
    assert "The sign-in is over" in tab.locator("#trouble").inner_text()


def test_events_are_late_here_when_they_are_everywhere(tab: Any, running: Running) -> None:
    """By the one bound, WAITS_S."""
    tab.clock.set_fixed_time(1_700_000_000_000)
    signed_in(tab, running, running.operator)
    for age_s, kind in ((WAITS_S + 3, "warn"), (WAITS_S / 2, "ok")):
        since = f"new Date(Date.now() - {1_000 * age_s}).toISOString()"
        backlog = {"waiting": 3, "waiting_since": tab.evaluate(since), "dead": 0}
        tab.route("**/v1/admin/outbox", partial(answer, backlog))
        opened(tab, running, "/events", "3 events")
        tab.locator(f"#lag [data-state={kind}]", has_text="3 events").wait_for()


def test_silence_is_no_good_news(tab: Any, running: Running) -> None:
    """Who does not answer has no closed circuits and no quiet encoders: nobody knows."""
    unheard = dict.fromkeys(("sessions", "load_mbps", "sent_bytes", "answers", "faults"))
    lists = ("trouble", "services", "channels", "breakers")
    calm = dict[str, Any](dict.fromkeys(lists, ())) | {
        "at": "2026-01-01T00:00:00Z",
        "traffic": dict.fromkeys(unheard, 1),
    }
    signed_in(tab, running, running.operator)
    for traffic, says in ((unheard, "is silent: nobody knows"), (calm["traffic"], "None: ")):
        tab.route("**/v1/admin/overview", partial(answer, calm | {"traffic": traffic}))
        opened(tab, running, "/overview", "Nothing is wrong")
        for table in ("channels", "breakers"):
            tab.locator(f"section:has(#{table}) .empty", has_text=says).wait_for()


def test_a_recording_that_did_not_begin_is_late(tab: Any, running: Running) -> None:
    signed_in(tab, running, running.operator)
    tab.clock.set_fixed_time("2026-01-01T12:00:00Z")
    one = {"title": "T", "state": "scheduled", "channel_id": "ch_demo", "account_id": "acc"}
    one |= dict.fromkeys(("reason", "season_no", "episode_no"))
    rows = [
        one | {"start_at": f"2026-01-01T{at}Z", "end_at": "2026-01-01T14:00:00Z"}
        for at in ("11:59:00", "12:01:00")
    ]
    due = [each | {"due_at": each["start_at"]} for each in rows]
    said = {"due": due, "latest": rows, "copying": [], "next_cursor": None}
    tab.route("**/v1/admin/recordings?**", partial(answer, said))
    opened(tab, running, "/recordings", "scheduled, late")
    for table in ("due", "latest"):
        states = tab.locator(f"#{table} td:nth-child(2)").all_inner_texts()
        assert [each.strip() for each in states] == ["scheduled, late", "scheduled"]
