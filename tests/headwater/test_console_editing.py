"""Operators who type, press and come too late, in Chromium."""

from typing import Any

import pytest
from control_rigs.console import LONG, Running, opened, post, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_what_was_typed_outlives_the_sign_in(tab: Any, running: Running) -> None:
    """A sign-in that is over asks for another one, and the page stays as it was."""
    signed_in(tab, running, running.operator)
    opened(tab, running, "/jobs", "Ask for the purge")
    tab.select_option("#purge select", "channel_id")
    tab.fill("#purge input[name=value]", "ch_demo")
    tab.fill("#purge input[name=reason]", "wrong logo")
    tab.evaluate("sessionStorage.setItem('headwater-token', 'a.b.c')")
    tab.get_by_text("The sign-in is over or the token is not good").wait_for()
    assert not tab.locator("#purge").is_visible()
    tab.fill("input[name=token]", running.operator.partition(".")[0])
    tab.keyboard.press("Enter")
    tab.wait_for_function("!document.querySelector('input[name=token]').value")
    assert "the token is not good" in tab.locator("#trouble").inner_text()
    tab.fill("input[name=token]", running.operator)
    tab.keyboard.press("Enter")
    tab.locator("#purge").wait_for()
    assert tab.locator("#trouble").inner_text() == ""
    assert tab.locator("#purge input[name=reason]").input_value() == "wrong logo"
    tab.locator("#purge button").press("Enter")
    tab.locator("#asked", has_text="2 CDNs were asked for /live/demo/").wait_for()


def test_a_second_editor_is_told(tab: Any, running: Running) -> None:
    """A move that was decided on another version than the newest is refused; the page shows it."""
    document = {"kind": "movie", "texts": [{"lang": "en", "title": LONG}]}
    entry = post(f"{running.url}/v1/catalog/contents", running.operator, document)
    signed_in(tab, running, running.operator)
    opened(tab, running, f"/titles#{entry['id']}", "to review")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    path = f"{running.url}/v1/catalog/contents/{entry['id']}/moves"
    for to in ("review", "draft"):
        post(path, running.operator, {"to": to})
    tab.get_by_role("button", name="to review").click()
    tab.locator("#trouble", has_text="changed").wait_for()
    tab.locator("#facts", has_text="3, ").wait_for()
    tab.get_by_role("button", name="to review").click()
    tab.get_by_role("button", name="to approved").wait_for()
    assert tab.locator("#trouble").inner_text() == ""
