"""Every metric that a document or a dashboard names is exposed under this name."""

import importlib
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("runtime", "origin", "manifest_proxy", "cdn_router", "control_api", "headwater")
NAME = re.compile(r"`(headwater_[a-z0-9_]+)(?:\{[^`}]*\})?`")
QUERIED = re.compile(r"\b(headwater_[a-z0-9_]+)")
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
NOT_METRICS = {"headwater_keys"}  # a key-value store at an edge


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def exposed() -> set[str]:
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            if re.search(r"import .*\bmetrics\b|runtime\.metrics", file.read_text()):
                importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    return {
        family.name + ending
        for family in REGISTRY.collect()
        for ending in ENDINGS.get(family.type, ())
    }


def test_documents_name_metrics_that_exist(exposed: set[str]) -> None:
    named = {(file.name, name) for file in documents() for name in NAME.findall(file.read_text())}
    assert len(named) > 20, "the pattern still finds them"
    assert [(file, name) for file, name in sorted(named) if not _is(name, exposed)] == []


def test_dashboards_ask_for_metrics_that_exist(exposed: set[str]) -> None:
    boards = sorted((ROOT / "deploy").rglob("*.json"))
    named = {(file.name, name) for file in boards for name in QUERIED.findall(file.read_text())}
    assert named
    assert [(file, name) for file, name in sorted(named) if name not in exposed] == []


def _is(name: str, exposed: set[str]) -> bool:
    """A name that ends in `_` stands for all that begin so."""
    if name.endswith("_"):
        return any(each.startswith(name) for each in exposed)
    return name in exposed | NOT_METRICS
