"""Rule files in either form: lines of faults, the schema, and defaults in MPDs (MP-5)."""

import json
import re
from pathlib import Path

import pytest
from lxml import etree
from typer.testing import CliRunner

from manifest_proxy.cli import manifest_app
from manifest_proxy.errors import RulesError
from manifest_proxy.manifest import Format, compile_manifest
from manifest_proxy.rulebook import Ruleset
from manifest_proxy.rules import read_rules
from manifest_proxy.urls import Origin, Url

JSON = """{
  "rules": [
    {"name": "a", "video": {"height": "..720"}},
    {
      "name": "b",
      "chaos": [
        {"numbers": "1..2", "status": 503},
        {"playlists": ["a{[,:\\"", "]"],
         "share": 0.5,
         "status": 404}
      ], "cohorts": ["x",
        "y"],
      "window_s": 60
    }
  ]
}
"""
WRONG = [
    ("404", "200", 10),
    ("0.5", "7", 9),
    ("..720", "720..1", 3),
    ('"y"', "5", 12),
    ('"window_s"', '"windows"', 13),
    ("60", "{}", 13),
    ('"b"', "null", 5),
    ("503}", "503]", 7),
    ("  ]\n}", "", 16),
]


@pytest.mark.parametrize(("was", "now", "line"), WRONG)
def test_faults_of_json_have_lines(was: str, now: str, line: int) -> None:
    assert len(read_rules(JSON.encode(), toml=False, tokenised=False).rulesets) == 2
    assert JSON.count(was) == 1
    with pytest.raises(RulesError, match=f"line {line}: "):
        read_rules(JSON.replace(was, now).encode(), toml=False, tokenised=False)


def test_a_schema_for_editors_knows_every_key() -> None:
    told = json.loads(CliRunner().invoke(manifest_app, ["schema"]).stdout)
    assert told["$ref"] == "#/$defs/Rules"
    assert {*told["$defs"]["Ruleset"]["properties"]} == {*Ruleset.__struct_fields__}
    assert "string" in told["$defs"]["VideoRule"]["properties"]["height"]["type"]


MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period id="1">
<AdaptationSet id="1" contentType="video"/>
<AdaptationSet id="2" contentType="audio" lang="en" selectionPriority="4"/>
<AdaptationSet id="3" contentType="audio" lang="de-AT"/>
<AdaptationSet id="4" contentType="audio" lang="de"/>
<AdaptationSet id="5" contentType="text" lang="en"/>
</Period></MPD>"""


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        (Ruleset("r", default_audio="de", default_subtitles="en"), {"2": "4", "3": "5", "5": "2"}),
        (Ruleset("r", default_audio="fr", default_subtitles="off"), {"2": "4"}),
    ],
)
def test_players_of_mpds_begin_with_the_default(rules: Ruleset, wanted: dict[str, str]) -> None:
    """The first set of the language stands above all of its kind; nothing moves (DASH-M2)."""
    url = Url.parse("http://o/x.mpd")
    out = compile_manifest(Format.DASH, MPD, url, Origin("http://o"), None, rules).render(b"", b"")
    sets = etree.fromstring(out).iter("{*}AdaptationSet")
    told = {one.get("id"): one.get("selectionPriority") for one in sets}
    assert {name: value for name, value in told.items() if value} == wanted
    assert re.sub(rb' selectionPriority="\d+"', b"", out) == MPD.replace(
        b' selectionPriority="4"', b""
    )


def test_a_dry_run_tells_the_line(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(JSON.replace("404", "200"))
    told = CliRunner().invoke(
        manifest_app,
        ["rewrite", "--type", "dash", "--base", "http://o/x.mpd", "--rules", str(file)],
        input=MPD,
    )
    assert told.exit_code == 2 and "line 10: " in told.output
