"""Fixtures for every room's tests: the real servers are in `tests/twins`."""

import sys
from pathlib import Path

from hypothesis import settings

# A busy machine is slow, not wrong: time limits are pytest's. The same examples each time, so that
# a change is judged by what it changed; new ones are for `--hypothesis-profile=explore`.
settings.register_profile("explore", deadline=None)
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

sys.path.append(str(Path(__file__).parent))

pytest_plugins = ["twins.plugin"]
