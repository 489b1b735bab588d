"""The law of the house: which room may import which, no shadowed stdlib names, no cellar files."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Arrows point down only; siblings meet over HTTP, events or the store, never by import.
MAY_IMPORT: dict[str, set[str]] = {
    "headwater": {
        "control_api",
        "cdn_router",
        "manifest_proxy",
        "origin",
        "cat",
        "runtime",
        "native",
    },
    "control_api": {"cat", "runtime", "native"},
    "cdn_router": {"cat", "runtime", "native"},
    "manifest_proxy": {"cat", "runtime", "native"},
    "origin": {"cat", "runtime", "native"},
    "cat": {"native"},
    "runtime": {"native"},
    "native": set(),
}
FOLDER = {"cat": "token/cat"}
MAX_LINES = 400  # HOUSE rule 4: above it, split

FROM = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w., ]+))", re.M)


def sources(room: str) -> list[Path]:
    folder = ROOT / FOLDER.get(room, room)
    return [p for s in ("*.py", "*.pyi", "*.pyx", "*.pxd") for p in sorted(folder.rglob(s))]


def imported(path: Path) -> set[str]:
    """Top-level names that a source imports; Cython is read line by line, Python by its grammar."""
    text = path.read_text()
    if path.suffix in (".py", ".pyi"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names |= {a.name for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module or "")
    else:
        names = {
            name.strip().split(" ")[0]
            for match in FROM.finditer(text)
            for name in (match[1] or match[2]).split(",")
        }
    return {name.split(".")[0] for name in names if name}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_arrows_point_down(room: str) -> None:
    others = set(MAY_IMPORT) - MAY_IMPORT[room] - {room}
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(room)
        for name in imported(path) & others
    }
    assert not wrong


def test_reader_of_imports_is_not_blind() -> None:
    assert imported(ROOT / "tests/house/test_house.py") >= {"ast", "re", "sys", "pathlib"}
    assert any("native" in imported(p) for p in sources("origin"))


def test_no_folder_shadows_the_standard_library() -> None:
    packages = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert not packages & sys.stdlib_module_names
    assert not list((ROOT / "tests").rglob("__init__.py")), "tests are modules, not packages"
    assert not (ROOT / "token/__init__.py").exists(), "it would hide the stdlib's token"


def test_files_stay_small() -> None:
    long = {
        f"{path.relative_to(ROOT)}: {lines} lines"
        for room in MAY_IMPORT
        for path in sources(room)
        if (lines := path.read_text().count("\n")) > MAX_LINES
    }
    assert not long
