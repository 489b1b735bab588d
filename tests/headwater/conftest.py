"""A console and a tab of Chromium, for all tests of a file."""

from collections.abc import Iterator
from typing import Any

import pytest
from control_rigs import console
from twins.chromium import chromium

WAIT_MS = 90_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[console.Running]:
    with console.running(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="module")
def tab(running: console.Running) -> Iterator[Any]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(WAIT_MS)
        yield page
