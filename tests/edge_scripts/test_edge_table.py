"""docs/edges.md says what the stand-ins do (E-60)."""

import shutil
from pathlib import Path

import pytest

from headwater.edge.platforms import PLATFORMS
from headwater.edge.table import page, probe

PAGE = Path(__file__).parents[2] / "docs" / "edges.md"


@pytest.mark.skipif(not (shutil.which("njs") and shutil.which("node")), reason="engines missing")
def test_the_page_is_current():
    assert PAGE.read_text() == page({name: probe(name) for name in PLATFORMS})
