"""The HTTP answer of a refusal, and what it may leave out (CAT-110)."""

import cat


def answer(reason, **options):
    found = cat.refusal(cat.Verdict(False, reason, "exp"), **options)
    return found.status, dict(found.headers), found.body


def test_it_says_no_more_than_the_status_unless_it_may():
    status, headers, body = answer("expired", explain=False)
    assert (status, body) == (401, b"{}")
    assert headers["WWW-Authenticate"] == "CAT" and "CAT-Reason" not in headers
    assert "expired" not in str(headers) and headers["Cache-Control"] == "no-store"
    assert answer("expired")[1]["CAT-Reason"] == "expired"


def test_a_reason_may_have_another_status():
    assert answer("revoked", statuses={"revoked": 410})[0] == 410
    assert answer("expired", statuses={"revoked": 410})[0] == 401
    assert "WWW-Authenticate" not in answer("expired", statuses={"expired": 403})[1]
