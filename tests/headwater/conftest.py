"""A console and a tab of Chromium, new for each test: none finds what another one left."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_rigs import console
from playwright.sync_api import Browser
from twins.chromium import PATIENT, chromium

WAIT_MS = 90_000


@pytest.fixture
def running(tmp_path: Path) -> Iterator[console.Running]:
    with console.running(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser) -> Iterator[Any]:
    """A page of a context of its own: nobody is signed in there."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.context.set_default_timeout(WAIT_MS)  # of what it asks for itself too
    page.add_init_script(PATIENT)
    yield page
    page.close()
