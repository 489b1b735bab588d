"""Fixtures for every room's tests: the real servers are in `tests/twins`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

pytest_plugins = ["twins.plugin"]
