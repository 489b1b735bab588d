"""Fixtures for every room's tests: the real servers are in `tests/twins`."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong: time limits are pytest's. The same examples each time, so that
# a change is judged by what it changed; new ones are for `--hypothesis-profile=explore`.
settings.register_profile("explore", deadline=None)
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

sys.path.append(str(Path(__file__).parent))

pytest_plugins = ["twins.plugin"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """CPython 3.11 may not parse a traceback's source, and ends the run, where garbage with a
    finalizer is collected meanwhile (gh-106905).
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
