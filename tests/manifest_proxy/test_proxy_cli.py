"""`headwater manifest rewrite`: stdin to stdout, exit codes 0, 1 and 2."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from manifest_proxy.cli import manifest_app

MEDIA = "#EXTM3U\n#EXTINF:1,\n1.m4s\n"
RULES = 'steering_url = "http://r/hls?sid="\n[[pathways]]\nid = "A"\nbase_url = "http://a"\n'


def run(kind: str, text: str, *arguments: str, base: str = "http://o/live/x.m3u8") -> Result:
    command = ["rewrite", "--type", kind, "--base", base, *arguments]
    return CliRunner().invoke(manifest_app, command, input=text)


def test_without_rules_and_token_nothing_changes() -> None:
    result = run("hls", "#EXTM3U\r\n#x\r\nu")
    assert (result.exit_code, result.stdout_bytes) == (0, b"#EXTM3U\r\n#x\r\nu")


def test_a_token_alone_makes_children_absolute_at_the_base() -> None:
    assert run("hls", MEDIA, "--token", "T").stdout.endswith("\nhttp://o/cat:T/live/1.m4s\n")


def test_rules_in_toml_and_json(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(RULES)
    (tmp_path / "r.json").write_text('{"pathways":[{"id":"A","base_url":"http://a/"}]}')
    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"
    out = run("hls", master, "--rules", str(tmp_path / "r.toml"), "--session", "s1").stdout
    assert 'SERVER-URI="http://r/hls?sid=s1",PATHWAY-ID="A"' in out
    assert "\nhttp://a/live/v.m3u8\n" in out
    out = run("dash", "<MPD><Period/></MPD>", "--rules", str(tmp_path / "r.json")).stdout
    assert out.startswith('<MPD><BaseURL serviceLocation="A">http://a/live/</BaseURL>')


def test_a_bad_manifest_is_a_clean_no() -> None:
    result = run("dash", "<MPD>")
    assert result.exit_code == 1 and "xml_malformed" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "rules, said",
    [
        ("pathways = []", "at least one pathway"),
        ("pathways = 1", "$.pathways"),
        ("speed = 1\n" + RULES, "speed"),
        (RULES.replace("http://a", "ftp://a"), "ftp://a"),
        (RULES.replace('"A"', '"A B"'), "A B"),
        ("[[", ""),
    ],
)
def test_bad_rules_are_named(tmp_path: Path, rules: str, said: str) -> None:
    (tmp_path / "r.toml").write_text(rules)
    result = run("hls", MEDIA, "--rules", str(tmp_path / "r.toml"))
    assert result.exit_code == 2 and said in result.stderr


def test_rule_sets_are_chosen_by_path_and_cohort(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(
        '[[rules]]\nname = "a"\ncohorts = ["phone"]\nvideo = { bandwidth = "..5" }\n'
        '[[rules]]\nname = "b"\npaths = ["/live/*"]\norder = "descending"\n'
    )
    one, two = (f"#EXT-X-STREAM-INF:BANDWIDTH={n}\nv{n}\n" for n in (1, 9))
    master = "#EXTM3U\n" + one + two
    arguments = ("--rules", str(file))
    assert run("hls", master, *arguments).stdout == "#EXTM3U\n" + two + one
    assert run("hls", master, *arguments, "--cohort", "phone").stdout == "#EXTM3U\n" + one
    assert run("hls", master, *arguments, base="http://o/vod/x.m3u8").stdout == master
    assert "\nhttp://o/cat:T/live/v9\n" in run("hls", master, *arguments, "--token", "T").stdout


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"..720"', '"720..1"', "line 6: '720..1' holds nothing"),
        ('"..720"', '"x"', "line 6: "),
        ("height", "hight", "line 6: Object contains unknown field `hight`"),
        ('"avc"', "7", "line 7: "),
        ('name = "b"', 'name = "a"', "'a' is no name, or the name of two"),
        ('name = "b"', 'nam = "b"', "line 4: Object contains unknown field `nam`"),
        ("[rules.video]", "[rules.video", "line 5"),
    ],
)
def test_a_fault_is_named_by_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = '[[rules]]\nname = "a"\n[[rules]]\nname = "b"\n[rules.video]\n'
    text += 'height = "..720"\ncodecs = [\n"avc"]'
    (tmp_path / "r.toml").write_text(text.replace(old, new))
    result = run("hls", MEDIA, "--rules", str(tmp_path / "r.toml"))
    assert result.exit_code == 2 and said in result.stderr, result.stderr


def test_bad_usage_is_refused() -> None:
    assert run("hls", MEDIA, base="not a url").exit_code == 2
    assert run("hls", MEDIA, "--token", 'T"\n').exit_code == 2
    assert run("mp4", MEDIA).exit_code == 2
    assert run("hls", MEDIA, "--rules", "/no/such/file").exit_code == 2
