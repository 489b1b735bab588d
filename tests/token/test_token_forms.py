"""Forms that other readers want of issued tokens (CAT-122)."""

import json

import pytest
from typer.testing import CliRunner

import cat
from cat.cbor import Tag
from headwater.token_cli import token_app

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k")])
KEY = KEYS.signer()
PREFIXES = ["192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0", "192.0.2.9", 64500, [1, 2]]
ALONE = (Tag(52, b"\xc0\x00\x02\x09"), 64500, (1, 2))
FORMS = {
    "trimmed": ((24, b"\xc0\0\x02"), (32, b"\x20\x01\x0d\xb8"), (0, b"")),
    "full": ((24, b"\xc0\0\x02\0"), (32, b"\x20\x01\x0d\xb8" + bytes(12)), (0, bytes(4))),
    "map": ({24: b"\xc0\0\x02"}, {32: b"\x20\x01\x0d\xb8"}, {0: b""}),
}


def judged(token, ip, profile="cta"):
    context = cat.Context("https://h/", 1000, ip=ip, asn=7)
    return cat.verify(token, context, KEYS, cat.Options(profile=profile))


@pytest.mark.parametrize("form", FORMS)
def test_prefixes_in_every_form(form):
    """The same networks whichever way they are written, from text or from CBOR."""
    token = cat.issue({"exp": 2000, "catnip": PREFIXES}, KEY, catnip_form=form)
    v4, v6, all_of_v4 = FORMS[form]
    want = (Tag(52, v4), Tag(54, v6), Tag(52, all_of_v4), *ALONE)
    assert judged(token, "10.0.0.1").claims[311] == want
    for other in FORMS:
        written = [Tag(52, FORMS[other][0]), Tag(54, FORMS[other][1])]
        token = cat.issue({"exp": 2000, 311: written}, KEY, catnip_form=form)
        verdict = judged(token, "192.0.2.200")
        assert verdict.accept and verdict.claims[311] == want[:2]
        assert judged(token, "2001:db8:1::").accept
        assert judged(token, "192.0.3.1").reason == "network"


@pytest.mark.parametrize("wrong", ["nowhere", "192.0.2.1/24", "192.0.2.0/33", ""])
def test_a_text_that_is_no_prefix(wrong):
    with pytest.raises(cat.IssueError, match="catnip"):
        cat.issue({"exp": 2000, "catnip": [wrong]}, KEY)


def test_cti_as_text_where_the_profile_has_it():
    claims = {"exp": 2000, "cti": b"\x01\xff"}
    docs = cat.issue(claims, KEY, profile="cloudfront-docs", cti="text")
    assert judged(docs, None, "cloudfront-docs").claims[7] == "01ff"
    assert judged(docs, None).reason == "claim_malformed"
    assert judged(cat.issue(claims, KEY), None).claims[7] == b"\x01\xff"
    with pytest.raises(cat.IssueError, match="cti"):
        cat.issue(claims, KEY, cti="text")


def test_the_command_line_has_both(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([cat.generate("HS256", "k")]))

    def issue(*more):
        claims = json.dumps({"catnip": ["192.0.2.0/24"]})
        asked = ["issue", "--keys", str(path), "--now", "1000", "--claims", claims, *more]
        done = CliRunner().invoke(token_app, asked)
        return done.exit_code, done.stdout.strip()

    code, token = issue("--catnip-form", "full", "--cti", "text", "--profile", "cloudfront-docs")
    known = cat.KeySet.from_json(path)
    context = cat.Context("https://h/", 1000, ip="192.0.2.7")
    verdict = cat.verify(token, context, known, cat.Options(profile="cloudfront-docs"))
    assert code == 0 and verdict.accept
    assert verdict.claims[311] == (Tag(52, (24, b"\xc0\0\x02\0")),)
    assert len(verdict.claims[7]) == 32
    assert issue("--catnip-form", "short")[0] == 2
