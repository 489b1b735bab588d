"""docs/edges.md and the console say what the stand-ins do (E-60)."""

import shutil
from pathlib import Path

import pytest

from headwater.edge.platforms import PLATFORMS
from headwater.edge.table import page, probe, script

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (shutil.which("njs") and shutil.which("node")), reason="engines missing")
def test_the_page_and_the_console_are_current():
    found = {name: probe(name) for name in PLATFORMS}
    assert (ROOT / "docs/edges.md").read_text() == page(found)
    assert (ROOT / "headwater/console/static/edges.js").read_text() == script(found)
