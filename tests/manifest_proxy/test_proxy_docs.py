"""docs/proxy.md says what the code has: every rule, setting and code; its rules can be read."""

import re
from pathlib import Path

import pytest

from manifest_proxy.rulebook import Ruleset
from manifest_proxy.rules import Rules, read_rules
from manifest_proxy.settings import OriginAccess, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "proxy.md").read_text()
NAMED = set(re.findall(r"`([^`\s]+)`", PAGE))
SOURCES = ["manifest_proxy/*.py", "native/hls/*.py*", "native/mpd/*.py*", "runtime/fetch.py"]
CODE = "".join(path.read_text() for pattern in SOURCES for path in ROOT.glob(pattern))
LISTENING = {"host", "port", "admin_port"}


def test_every_key_of_a_rule_file_is_told() -> None:
    assert set(Ruleset.__struct_fields__) <= NAMED
    assert set(Rules.__struct_fields__) - {"rules"} <= NAMED


def test_every_setting_is_told() -> None:
    assert set(Settings.model_fields) - LISTENING <= NAMED
    assert set(OriginAccess.model_fields) <= NAMED


def test_the_example_is_a_rule_file_with_every_stage() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    rulesets = read_rules(example.encode(), toml=True, tokenised=True).rulesets
    bare = Ruleset("bare")
    untold = {
        name
        for name in Ruleset.__struct_fields__
        if all(getattr(one, name) == getattr(bare, name) for one in rulesets)
    }
    assert untold <= {"empty"}, "shown with its default"


@pytest.mark.parametrize("row", re.findall(r"^\| (`[^|]+`) \| [45]\d\d \|", PAGE, re.M))
def test_codes_exist(row: str) -> None:
    for code in re.findall(r"`([^`]+)`", row):
        stem = code.removeprefix("origin_")  # what the client says of an origin
        assert f'"{code}"' in CODE or f'"{stem}"' in CODE
