"""The page of webhook endpoints, in Chromium, with a receiver that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from control_rigs.console import Running, opened, post, signed_in

from control_api.times import now_ms
from control_api.webhooks.signature import secret_bytes, verify

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SKEW_S = 3_600  # of a test that stands still
NONE = "\u2013"
STATES = {  # by state: what it is called, attempts, what follows
    "pending": ("waiting", 0, "once it is active"),
    "done": ("taken", 2, NONE),
    "dead": ("given up", 5, NONE),
    "dropped": ("dropped", 1, NONE),
}


class Receiver(ThreadingHTTPServer):
    """Its paths are the statuses that it answers; it keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.got: list[tuple[dict[str, str], bytes]] = []

    def url(self, status: int) -> str:
        return f"http://127.0.0.1:{self.server_port}/{status}"


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(int(self.path[1:]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def made(running: Running, url: str) -> str:
    """An endpoint that is told of its own making: audit has that. It may fail for hours."""
    body = {"url": url, "topics": ["audit.action"], "schedule": "extended"}
    return str(post(f"{running.url}/v1/webhooks", running.operator, body)["endpoint"]["id"])


def row(tab: Any, url: str) -> Any:
    return tab.locator("#endpoints tbody tr", has_text=url)


def test_endpoints_tell_how_they_fare(tab: Any, running: Running, receiver: Receiver) -> None:
    for status in (204, 410, 500):
        made(running, receiver.url(status))
    signed_in(tab, running, running.operator)
    opened(tab, running, "/webhooks", "https://hooks.example/hidden")
    row(tab, "/204").locator("[data-state=ok]", has_text="active").wait_for()
    row(tab, "/500").locator("[data-state=warn]", has_text="active, failing").wait_for()
    gone = row(tab, "/410")
    gone.locator("[data-state=bad]", has_text="disabled").wait_for()
    assert "it answered 410 Gone" in gone.inner_text()
    asked = row(tab, "hooks.example").locator("td").all_inner_texts()
    assert asked[1].strip() == "paused" and asked[2] == "somebody paused it"
    assert asked[3].endswith("title.ready and 1 more") and asked[6:] == ["1", "7"]
    row(tab, "/204").locator("a").press("Enter")
    sent = tab.locator("#deliveries tbody tr").last
    sent.get_by_text("status 204").wait_for()
    assert "taken" in sent.inner_text() and "audit.action" in sent.inner_text()
    row(tab, "/500").locator("a").press("Enter")
    tab.locator("#name", has_text="/500").wait_for()
    tab.get_by_role("button", name="Test").press("Enter")
    tab.locator("#said [data-state=bad]", has_text="refused: status 500 after").wait_for()


def test_messages_are_told_with_each_attempt(tab: Any, running: Running) -> None:
    """A dead letter leads to the endpoint that it was for."""
    letter = {"id": "dlq_1", "at": "2026-01-01T00:00:00Z", "topic": "webhook:whk_paused"}
    letter |= {"consumer": "webhooks", "attempts": 5, "error": "status 503", "event": None}
    said = {"items": [letter], "next_cursor": None}
    tab.route("**/v1/admin/dlq?**", lambda route: route.fulfill(json=said))
    signed_in(tab, running, running.operator)
    opened(tab, running, "/events", "webhook:whk_paused")
    tab.get_by_role("link", name="webhook:whk_paused").press("Enter")
    tab.locator("#deliveries", has_text="msg_dead").wait_for()
    tab.unroute_all(behavior="ignoreErrors")  # a look that the way there cut off
    text = tab.locator("#facts").inner_text()
    assert "failed or partial" in text and "5 within 75 s" in text
    told = {each: tab.locator("#deliveries tr", has_text=f"msg_{each}") for each in STATES}
    for each, (says, attempts, follows) in STATES.items():
        cells = told[each].locator("td").all_inner_texts()
        assert cells[1].strip() == says and cells[3].count("12 ms") == attempts
        assert cells[4] == follows
    tab.select_option("#find select", "dead")
    told["done"].wait_for(state="detached")
    assert told["dead"].count() == 1
    text = opened(tab, running, "/webhooks#whk_none", "it was removed")
    assert "Rotate secret" not in text and not tab.locator("#sent").is_visible()


def test_an_operator_tests_pauses_and_rotates(
    tab: Any, running: Running, receiver: Receiver
) -> None:
    """By keys alone; the new secret is shown until somebody has it, and is the one that signs."""
    endpoint_id = made(running, receiver.url(200))
    asked: list[str] = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    signed_in(tab, running, running.operator)
    opened(tab, running, f"/webhooks#{endpoint_id}", "status 200")
    tab.get_by_role("button", name="Pause").press("Enter")
    tab.locator("#facts", has_text="somebody paused it").wait_for()
    assert tab.get_by_role("button", name="Pause").count() == 0
    tab.get_by_role("button", name="Resume").press("Enter")
    tab.locator("#facts", has_text="active").wait_for()
    tab.get_by_role("button", name="Rotate secret").press("Enter")
    secret = tab.locator("#fresh code").inner_text()
    assert asked == [f"A new secret for {receiver.url(200)}?"]
    tab.get_by_role("button", name="Test").press("Enter")
    tab.locator("#said [data-state=ok]", has_text="taken: status 200 in").wait_for()
    # its turns are in the audit, which it hears of too
    told = {json.loads(body)["type"]: (headers, body) for headers, body in receiver.got}
    headers, body = told["webhook.test"]
    lower = {name.lower(): value for name, value in headers.items()}
    verify([secret_bytes(secret)], lower, body, now_ms() // 1_000, SKEW_S)
    tab.evaluate("location.hash = 'whk_paused'")
    tab.locator("#deliveries", has_text="msg_dead").wait_for()
    assert tab.locator("#said").inner_text() == "", "said of another"
    assert tab.locator("#fresh code").inner_text() == secret
    tab.get_by_role("button", name="I have it").press("Enter")
    assert secret not in tab.content()


def test_a_reader_sees_all_and_presses_nothing(tab: Any, running: Running) -> None:
    """No path of a URL either: it may be all that the receiver asks for."""
    signed_in(tab, running, running.reader)
    opened(tab, running, "/webhooks#whk_paused", "msg_dead")
    assert "https://hooks.example/[redacted]" in tab.locator("#endpoints").inner_text()
    assert "hidden/" not in tab.content() and "Rindfleisch" not in tab.content()
    assert tab.locator("#content button").count() == 0
    assert tab.locator("#trouble").inner_text() == ""


def test_all_endpoints_are_reached(tab: Any, running: Running, receiver: Receiver) -> None:
    """Page by page, each as it is now."""
    for status in range(200, 250):
        made(running, receiver.url(status))
    signed_in(tab, running, running.operator)
    opened(tab, running, "/webhooks", receiver.url(249))
    assert "50 and more endpoints" in tab.locator("#word").inner_text()
    assert row(tab, "hooks.example").count() == 0
    tab.get_by_role("button", name="More").press("Enter")
    row(tab, "hooks.example").wait_for()
    tab.get_by_role("button", name="More").wait_for(state="detached")
    tab.locator("#word", has_text="51 endpoints").wait_for()
