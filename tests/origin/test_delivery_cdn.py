"""The face that CDNs see: cache classes, CMSD, origin authentication (specs/origin-http.md)."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from origin.delivery import cmsd, g2o
from origin.delivery.access import G2O, Access, Door
from origin.delivery.caching import Caching, Class, Rule

KEY = "s3cr3tk3y"
NOW_S = 1471524574.0
ANSWERS = {  # what Akamai's own generator gives for "/abc"
    1: "FWvsJT8JBKvnZ4jGiE7uYA==",
    2: "LL4EzlYZG9DWKjDYegZf7Q==",
    3: "D2+ASTlqs3WfCC5EBIhtjA==",
    4: "OLU/4N3Sc5gvy7Ta/e1rzMgPb2g=",
    5: "d/8DhQppXfD8WvbEP5TU3UVrPxgifX4LumVfadVPxgk=",
}


def data(version: int = 5, unique: str = "2805760.691583751", nonce: str = "v1") -> str:
    return f"{version}, 1.2.3.4, 3.4.5.6, 1471524574, {unique}, {nonce}"


def judge(text: str | None, signature: str | None, target: str = "/abc", **changes: object) -> str:
    given_options: dict[str, object] = {
        "keys": {"v1": KEY.encode()},
        "versions": {5},
        "skew_s": 30,
        "now_s": NOW_S,
        "replays": g2o.Replays(60),
    }
    return g2o.refusal(text, signature, target, **(given_options | changes)) or "in"  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ANSWERS)
def test_every_version_gives_the_known_answer(version: int) -> None:
    """O30"""
    assert g2o.sign(version, KEY.encode(), data(version), "/abc") == ANSWERS[version]
    assert judge(data(version), ANSWERS[version], versions=[version]) == "in"


@pytest.mark.parametrize(
    ("text", "signature", "changes", "code"),
    [
        (None, ANSWERS[5], {}, "g2o_missing"),
        (data(), None, {}, "g2o_missing"),
        ("5, 1.2.3.4", ANSWERS[5], {}, "g2o_malformed"),
        ("5, a, b, ²³, u, v1", ANSWERS[5], {}, "g2o_malformed"),
        ("5, " + "a" * 600, ANSWERS[5], {}, "g2o_malformed"),
        (data(4), ANSWERS[4], {}, "g2o_version"),
        (data(9), ANSWERS[5], {"versions": [9]}, "g2o_version"),
        (data(nonce="v2"), ANSWERS[5], {}, "g2o_key"),
        (data(), ANSWERS[5][:-2], {}, "g2o_signature"),
        (data(), ANSWERS[5], {"target": "/abd"}, "g2o_signature"),
        (data(), ANSWERS[5], {"target": "/abc?x"}, "g2o_signature"),
        (data(unique="other"), ANSWERS[5], {}, "g2o_signature"),
        (data(), ANSWERS[5], {"now_s": NOW_S + 31}, "g2o_time"),
        (data(), ANSWERS[5], {"now_s": NOW_S - 31}, "g2o_time"),
        (data(), ANSWERS[5], {"now_s": NOW_S + 29}, "in"),
    ],
)
def test_a_ghost_is_refused_with_the_reason(
    text: str | None, signature: str | None, changes: dict[str, object], code: str
) -> None:
    """O29, O30"""
    target = str(changes.pop("target", "/abc"))
    assert judge(text, signature, target, **changes) == code


def test_a_unique_id_passes_once_within_the_window() -> None:
    """O29"""
    seen = g2o.Replays(60)
    assert judge(data(), ANSWERS[5], replays=seen) == "in"
    assert judge(data(), ANSWERS[5], replays=seen) == "g2o_replay"
    assert judge(data(), ANSWERS[5], replays=seen, now_s=NOW_S + 29) == "g2o_replay"


def test_replays_forget_and_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g2o, "SEEN_LIMIT", 100)
    seen = g2o.Replays(60)
    assert all(seen.first(f"id{n}", 1000.0) for n in range(1000))
    assert seen.overflows == 9
    assert not seen.first("id999", 1030.0)
    assert seen.first("id999", 1500.0)


def asked(**headers: str) -> Callable[[str], str | None]:
    return {name.replace("_", "-"): value for name, value in headers.items()}.get


def door(**means: object) -> Door:
    return Door(Access.model_validate(means))


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "secret_denied"),
        ({"x_origin_secret": "old"}, None),
        ({"x_origin_secret": "new"}, None),
        ({"x_origin_secret": "wrong"}, "secret_denied"),
        ({"x_origin_secret": ""}, "secret_denied"),
        ({"x_origin_secret": "öld"}, "secret_denied"),
    ],
)
def test_two_secrets_are_valid_while_they_rotate(headers: dict[str, str], code: str | None) -> None:
    """O14: old, new, wrong, missing"""
    assert door(secrets=["old", "new"]).refusal(asked(**headers), "1.2.3.4", "/", 0) == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("Bearer t1", None),
        ("bearer t1", None),
        ("Basic t1", "bearer_denied"),
        ("t1", "bearer_denied"),
    ],
)
def test_bearer(value: str, code: str | None) -> None:
    assert door(bearer=["t1"]).refusal(asked(authorization=value), "1.2.3.4", "/", 0) == code


@pytest.mark.parametrize(
    ("peer", "code"),
    [
        ("10.1.2.3", None),
        ("::ffff:10.1.2.3", None),
        ("2001:db8::7", None),
        ("11.1.2.3", "address_denied"),
        ("", "address_denied"),
        ("not an address", "address_denied"),
    ],
)
def test_addresses(peer: str, code: str | None) -> None:
    allow = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]
    assert door(allow=allow).refusal(asked(), peer, "/", 0) == code


def test_everything_configured_is_required_and_counted() -> None:
    both = Door(
        Access(secrets=[SecretStr("s")], g2o=G2O(keys={"v1": SecretStr(KEY)})),
    )
    headers = {g2o.DATA_HEADER: data(), g2o.SIGN_HEADER: ANSWERS[5]}
    assert both.refusal(headers.get, "", "/abc", NOW_S) == "secret_denied"
    headers["x-origin-secret"] = "s"
    assert both.refusal(headers.get, "", "/abc", NOW_S) is None
    assert both.refusal(headers.get, "", "/abc", NOW_S) == "g2o_replay"
    assert both.denied == {"secret_denied": 1, "g2o_replay": 1}


def test_at_most_two_secrets_and_none_is_shown() -> None:
    with pytest.raises(ValidationError):
        Access(secrets=[SecretStr(s) for s in "abc"])
    assert "hidden" not in repr(Access(secrets=[SecretStr("hidden")]))
    assert Access().open


def test_static_is_a_structured_dictionary() -> None:
    """O24"""
    static = cmsd.Static(at=5, br=3000, d=2000, nor="43.m4s", ot="v", sf="h", st="l", n='a"b')
    assert str(static) == 'at=5,br=3000,d=2000,n="a\\"b",nor="43.m4s",ot=v,sf=h,st=l'
    assert str(cmsd.Static(su=True, ot="i")) == "ot=i,su"


def test_prefetch_names_what_nor_names() -> None:
    """O16"""
    headers = dict(cmsd.object_headers(cmsd.Static(nor="43.m4s"), "/live/demo/v1"))
    assert headers[cmsd.PREFETCH] == "/live/demo/v1/43.m4s"
    assert cmsd.PREFETCH not in dict(cmsd.object_headers(cmsd.Static(), "/live/demo/v1"))


def test_the_origins_item_of_dynamic() -> None:
    """O27"""
    assert cmsd.hop("o1", rd_ms=7, duress=True) == '"o1";rd=7;du'


@given(st.text())
def test_a_name_never_breaks_the_field(name: str) -> None:
    text = cmsd.hop(name)
    assert text.isascii() and text.isprintable()
    assert text.startswith('"') and text.endswith('"')


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Class.MANIFEST, "public, max-age=3"),
        (Class.BLOCKING, "public, max-age=36"),
        (Class.BLOCKING_ERROR, "public, max-age=24"),
        (Class.MEDIA, "public, max-age=1209600, immutable"),
        (Class.EARLY, "public, max-age=1"),
    ],
)
def test_default_lifetimes(kind: Class, value: str) -> None:
    """specs/origin-http.md section 3 with TD = 6"""
    assert Caching().control(kind, 6) == value


def test_lifetimes_shrink_with_dropped_directives_and_planned_removal() -> None:
    """O22, O23"""
    caching = Caching(directives_in_key=False)
    assert caching.control(Class.BLOCKING, 6) == "public, max-age=1"
    assert caching.control(Class.MEDIA, 6, left_s=30.7) == "public, max-age=30, immutable"
    assert caching.control(Class.MEDIA, 6, left_s=-1) == "public, max-age=0, immutable"


def test_settings_speak_for_each_cdn() -> None:
    """O13"""
    rule = Rule(stale_while_revalidate_s=2, stale_if_error_s=60, surrogate_control="max-age=1")
    caching = Caching({Class.PLAYLIST: rule, Class.MEDIA: Rule(max_age_s=3600)})
    control = caching.control(Class.PLAYLIST, 2)
    assert control == "public, max-age=1, stale-while-revalidate=2, stale-if-error=60"
    assert caching.fields(Class.PLAYLIST) == [("Surrogate-Control", "max-age=1")]
    assert caching.control(Class.MEDIA, 2) == "public, max-age=3600, immutable"
    assert caching.fields(Class.MEDIA) == []
    with pytest.raises(ValidationError):
        Rule(edge_control="a\r\nSet-Cookie: b")
