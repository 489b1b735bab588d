"""Every `headwater` command in README, docs and help is one that the command line takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from headwater.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LINE = re.compile(r"(?:\.venv/bin/|^ {4}|^\$ |^)(headwater [a-z].*)$")
INLINE = re.compile(r"`headwater ([a-z][^`]*)`")
SENTENCE = re.compile(r"headwater over ")  # a table's row of docs/router.md


def told(text: str) -> Iterator[str]:
    """Lines of code blocks, and what stands between backticks with options of its own."""
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if (fenced or line.startswith("    ")) and (found := LINE.search(line)):
            yield found[1]
    yield from (f"headwater {found}" for found in INLINE.findall(text))


def words(line: str) -> list[str]:
    """Without comments, redirections and what a pipe leads to."""
    line = re.split(r"\s[<>|]\s|\s#\s|\s&&", f"{line} ")[0]
    return [word.strip("[]") for word in shlex.split(line.replace("…", ""))[1:]]


def examples(command: Any) -> Iterator[str]:
    """From the help of a command and of those below it."""
    _, found, example = (command.help or "").partition("Example: ")
    if found:
        yield " ".join(example.split())
    for one in getattr(command, "commands", {}).values():
        yield from examples(one)


def refused(command: Any, given: list[str]) -> str | None:
    """Why a command line would not do: a name that is not known; values are the reader's."""
    if hasattr(command, "commands"):
        if not given or given[0].startswith("-"):
            return None
        below = command.commands.get(given[0])
        return refused(below, given[1:]) if below else f"no command {given[0]}"
    options = {name for each in command.params for name in each.opts if name.startswith("-")}
    unknown = {word.partition("=")[0] for word in given if word.startswith("--")} - options
    return f"no option {sorted(unknown)}" if unknown - {"--help"} else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_page_exist(page: Path) -> None:
    root = typer.main.get_command(app)
    lines = [line for line in told(page.read_text()) if not SENTENCE.match(line)]
    assert [(line, why) for line in lines if (why := refused(root, words(line)))] == []


def test_what_does_not_exist_is_refused() -> None:
    root = typer.main.get_command(app)
    for line in (
        "headwater fly",
        "headwater keys fly",
        "headwater up --fly",
        "headwater up --demo=1 --fly",
    ):
        assert refused(root, words(line)), line
    assert list(told("```\n.venv/bin/headwater up --demo # x\n```\nsay `headwater config`")) == [
        "headwater up --demo # x",
        "headwater config",
    ]
    assert words("headwater manifest rewrite --type hls < a.m3u8 | less") == [
        "manifest", "rewrite", "--type", "hls",
    ]  # fmt: skip


def test_examples_of_the_help_exist() -> None:
    root = typer.main.get_command(app)
    lines = [line for line in examples(root) if line.startswith("headwater ")]
    assert len(lines) > 20
    assert [(line, why) for line in lines if (why := refused(root, words(line)))] == []
