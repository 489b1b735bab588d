"""Fixtures for every room's tests: the real servers are in `tests/twins`."""

import sys
from pathlib import Path

from hypothesis import settings

# A busy machine is slow, not wrong: time limits are pytest's.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

sys.path.append(str(Path(__file__).parent))

pytest_plugins = ["twins.plugin"]
