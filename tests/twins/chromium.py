"""One headless Chromium, as every browser test wants it."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# For pages of ours: they wait for every answer, however slow the machine.
PATIENT = "AbortSignal.timeout = () => new AbortController().signal"
BINARY = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """Use it for a module at most: while it is open its event loop runs in this thread, so that
    neither a second one nor an async test can start.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BINARY, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
