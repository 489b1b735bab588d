"""`headwater cmcd decode`: lines in, JSON lines out, notes aside, exit codes (CONTRACT)."""

import json

import pytest
from typer.testing import CliRunner

from cdn_router.cli import cmcd_app

TYPED = "br=(5000;v 320;a),v=2"
DECODED = {
    "br": [{"value": 5000, "params": {"v": True}}, {"value": 320, "params": {"a": True}}],
    "v": 2,
}


def run(mode: str, transport: str, text: str | bytes) -> tuple[int, list[object], str]:
    arguments = ["decode", "--mode", mode, "--transport", transport]
    result = CliRunner().invoke(cmcd_app, arguments, input=text)
    return (
        result.exit_code,
        [json.loads(line) for line in result.stdout.splitlines()],
        result.stderr,
    )


@pytest.mark.parametrize(
    ("transport", "line"),
    [
        ("body", f"  {TYPED} \r"),
        ("header", f"cmcd-object: {TYPED}"),
        ("header", TYPED),
        ("header", json.dumps({"CMCD-Object": "br=(5000;v 320;a)", "CMCD-Session": "v=2"})),
        ("query", "https://a/1.m4s?x=1&CMCD=br%3D%285000%3Bv%20320%3Ba%29%2Cv%3D2"),
        ("query", "CMCD=br%3D(5000%3Bv%20320%3Ba)%2Cv%3D2"),
        ("query", "br%3D(5000%3Bv%20320%3Ba)%2Cv%3D2"),
    ],
)
def test_every_form_of_a_line(transport: str, line: str) -> None:
    assert run("request", transport, line + "\n") == (0, [DECODED], "")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("bs=?0,su=?1", {"bs": False, "su": True}),
        ('br=1,nor="a.mp4?x=1&CMCD=su"', {"br": 1, "nor": "a.mp4?x=1&CMCD=su"}),
        ('sid="a&b#c"', {"sid": "a&b#c"}),
        ("https://a/b=c/1.m4s?x=1&CMCD=su,bs=?0#end", {"su": True, "bs": False}),
        ("1.m4s?CMCD=su", {"su": True}),
        ('CMCD=nor="/a?b"', {"nor": "/a?b"}),
        ("https://a/1.m4s", {}),
        ("/1.m4s?x=1", {}),
    ],
)
def test_a_value_is_told_from_a_url(line: str, found: object) -> None:
    assert run("request", "query", line + "\n") == (0, [found], "")


def test_a_mode_has_its_keys() -> None:
    line = "e=t,ts=5,v=2\n"
    assert run("event", "body", line) == (0, [{"e": "t", "ts": 5, "v": 2}], "")
    status, found, notes = run("request", "body", line)
    assert status == 0 and found == [{"v": 2}]
    assert notes == "line 1: wrong_mode e\nline 1: wrong_mode ts\n"


def test_a_refused_line_keeps_the_others_in_step() -> None:
    status, found, notes = run("event", "body", b"=\nsu\n\xff\nbr=1,v=9\n")
    assert status == 1
    assert found == [{"error": "malformed"}, {"su": True}, {"error": "encoding"}, {}]
    assert "line 1: malformed" in notes and "line 4: version v" in notes


def test_nothing_in_nothing_out_and_bad_usage() -> None:
    assert run("event", "header", "") == (0, [], "")
    assert run("event", "header", "{broken\n")[0] == 1
    assert run("no", "body", "")[0] == 2
    assert run("event", "query", "https://a/?cmcd=br%3D1\n")[1] == [{}]
