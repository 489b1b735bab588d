"""Fastly's own token in VCL: the very file, run by an interpreter of the part of VCL that it is
written in, against the signer and its vectors (S-20, S-21).
"""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cat.signers import fastly
from headwater.edge import BuildError
from headwater.edge.vcl import FUNCTIONS, check, vcl
from headwater.edge.vcl_syntax import parse

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "fastly_token.json"
KEY = "iqFPeN2u+Z0Lm5IrsKaOFKRqEU5Gw8ePtaEkHZWuD24="
BYTES = base64.b64decode(KEY)
KNOWN = (  # of the shared vectors
    (1700003600, "46a31c862351803efe9da0f283ab8b220e74174a"),
    (1536399430, "2ff701d4b75cbafce1919e87647b07177fa7bee2"),
)
NOW = 1_536_000_000


class Left(Exception):
    """A `return`, or an `error` with its status and text."""


class Run:
    """One request through the file."""

    def __init__(self, url, now=NOW, keys=None, **names):
        self.subs = parse(vcl())
        self.keys = {"token": KEY} if keys is None else keys
        self.names = {"req.url": url, "now": now, "req.method": "GET", "req.restarts": 0}
        self.names |= {"fastly.ff.visits_this_service": 0, **names}
        self.answer = self._enter("vcl_recv")
        if self.answer[0] == "error":
            self.names |= {"obj.status": self.answer[1], "obj.response": self.answer[2]}
            assert self._enter("vcl_error") == ("return", "deliver")

    def _enter(self, name):
        try:
            self._block(self.subs[name])
        except Left as left:
            return left.args
        return None

    def _block(self, block):
        for kind, *rest in block:
            if kind == "set":
                self.names[rest[0]] = self._value(rest[1])
            elif kind == "if":
                self._block(rest[1] if self._value(rest[0]) else rest[2])
            elif kind == "call":
                self._block(self.subs[rest[0]])
            elif kind in ("return", "error"):
                raise Left(kind, *rest)
            else:
                assert kind in ("declare", "macro", "synthetic")

    def _value(self, node):
        kind, *rest = node
        if kind in ("text", "number"):
            return rest[0]
        if kind == "name":
            return self._name(rest[0])
        if kind == "not":
            return not self._value(rest[0])
        if kind == "join":
            return "".join(map(self._value, rest[0]))
        if kind == "call":
            return getattr(self, rest[0].replace(".", "_"))(*map(self._value, rest[1]))
        left = self._value(rest[0])
        if kind in ("&&", "||"):
            return self._value(rest[1]) if bool(left) == (kind == "&&") else left
        right = self._value(rest[1])
        if kind in ("==", "!="):
            return (left == right) == (kind == "==")
        found = re.search(right, left)
        if found:
            self.names |= {f"re.group.{n}": text for n, text in enumerate(found.groups(), 1)}
        return bool(found) == (kind == "~")

    def _name(self, name):
        path, _, query = self.names["req.url"].partition("?")
        derived = {"req.url.path": path, "req.url.qs": query, "headwater_keys": self.keys}
        return derived[name] if name in derived else self.names[name]

    def table_lookup(self, table, name, otherwise):
        return table.get(name, otherwise)

    def digest_base64_decode(self, text):
        return base64.b64decode(text).partition(b"\0")[0].decode("latin-1")

    def digest_hmac_sha1(self, key, text):
        return "0x" + hmac.digest(key.encode("latin-1"), text.encode(), hashlib.sha1).hex()

    def digest_secure_is_equal(self, one, other):
        return hmac.compare_digest(one, other)

    def querystring_filter(self, url, name):
        path, _, query = url.partition("?")
        rest = "&".join(pair for pair in query.split("&") if pair.partition("=")[0] != name)
        return f"{path}?{rest}" if rest else path

    def subfield(self, text, name, separator):
        pairs = (pair.partition("=") for pair in text.split(separator))
        return next((value for own, _, value in pairs if own == name), "")

    std_atoi = staticmethod(int)
    std_integer2time = staticmethod(float)
    std_strlen = staticmethod(len)
    time_is_after = staticmethod(lambda one, other: one > other)


def verdict(run):
    return run.answer[2] if run.answer[0] == "error" else "ok"


def test_the_interpreter_knows_every_function():
    assert all(hasattr(Run, name.replace(".", "_")) for name in FUNCTIONS)


@pytest.mark.parametrize(("end", "seal"), KNOWN)
def test_known_answers(end, seal):
    token = f"{end}_{seal}"
    run = Run(f"/foo/bar.html?a=1&token={token}&b=2")
    assert run.answer == ("return", "lookup")
    assert run.names["req.url"] == "/foo/bar.html?a=1&b=2"
    assert verdict(Run(f"/foo/bar.html?token={token}", now=end)) == "expired"
    assert verdict(Run(f"/foo/baz.html?token={token}")) == "signature"
    if VECTORS.exists():
        held = json.loads(VECTORS.read_bytes())["vectors"]
        assert {"path": "/foo/bar.html", "exp": end, "token": token} in held


@settings(max_examples=150, deadline=None)
@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#&=")).map(
        "/{}".format
    ),
    end=st.integers(1, 2**40),
    at=st.one_of(st.none(), st.integers(0, 60)),
    now=st.sampled_from([0, NOW, 2**40]),
)
def test_the_file_says_what_the_signer_says(path, end, at, now):
    token = fastly.sign(BYTES, path, end)
    if at is not None:
        at %= len(token)
        token = token[:at] + ("0" if token[at] != "0" else "1") + token[at + 1 :]
    run = Run(f"{path}?x&token={token}", now=now)
    assert verdict(run) == fastly.verify(BYTES, path, token, now)
    if verdict(run) == "ok":
        assert run.names["req.url"] == f"{path}?x"
    else:
        assert run.names["obj.http.Cache-Control"] == "no-store"
        assert run.names["obj.http.CAT-Reason"] == verdict(run)


@pytest.mark.parametrize("query", ["", "?", "?token=", "?token=1_", "?tokens=1", "?TOKEN=1"])
def test_no_token_is_no_entry(query):
    run = Run(f"/a{query}")
    assert run.answer == ("error", 401, "malformed")


@pytest.mark.parametrize("keys", [{}, {"token": ""}, {"token": "AAAA"}])
def test_no_key_is_no_entry(keys):
    """What anybody could seal with an empty key does not pass; VCL's texts end at a zero byte."""
    token = fastly.sign(b"", "/a", NOW + 9)
    assert Run(f"/a?token={token}", keys=keys).answer == ("error", 503, "store")


def test_shields_and_restarts_take_what_was_judged():
    for judged in ({"req.restarts": 1}, {"fastly.ff.visits_this_service": 1}):
        assert Run("/a", **judged).answer == ("return", "lookup")
    token = fastly.sign(BYTES, "/a", NOW + 9)
    assert Run(f"/a?token={token}", **{"req.method": "POST"}).answer == ("return", "pass")


@pytest.mark.parametrize(
    ("from_", "to", "said"),
    [
        ("#FASTLY recv\n", "", "macro"),
        ("  call headwater_token;\n", "", "nobody"),
        ('error 401 "expired"', "call vcl_none", "no subroutine"),
        ("digest.hmac_sha1", "digest.hmac_sha2", "no function"),
        ('req.url, "token")', "req.url)", "no function"),
        ("declare local var.key STRING;", "", "cannot be set"),
        ("var.key, req.url", "var.keys, req.url", "no variable"),
        ("set req.url =", "set req.uri =", "cannot be set"),
        ("return(lookup)", "return(deliver)", "nothing returns"),
        ("error 401", "error 200", "no error"),
        ("return(lookup);\n}", "return(lookup);\n", "no statement"),
        ("sub vcl_error", "sub vcl_recv", "two subroutines"),
        ("now)", "now", "expected"),
        ('"store"', '"sto%20re"', "has no"),
    ],
)
def test_the_check_is_strict(from_, to, said):
    text = vcl()
    assert from_ in text
    with pytest.raises(BuildError, match=said):
        check(text.replace(from_, to, 1))
