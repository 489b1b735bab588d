"""`headwater token` as CONTRACT describes it: one JSON object, exit codes 0, 1, 2, 3."""

import json

import pytest
from typer.testing import CliRunner

from headwater.token_cli import token_app

URI = "https://cdn.example/live/a.m3u8"


@pytest.fixture
def run():
    def run(*args, **options):
        return CliRunner().invoke(token_app, [str(arg) for arg in args], **options)

    return run


@pytest.fixture
def keys(run, tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(run("keygen", "--kid", "a").stdout)
    return path


@pytest.fixture
def token(run, keys):
    issued = run(
        *("issue", "--keys", keys, "--issuer", "me", "--path-prefix", "/live/", "--now", 1000),
        *("--method", "GET", "--ttl", 60, "--claims", '{"cti": {"hex": "0001"}}'),
    )
    assert issued.exit_code == 0
    return issued.stdout.strip()


def test_accepted(run, keys, token):
    done = run("verify", token, "--keys", keys, "--uri", URI, "--now", 1000, "--issuer", "me")
    answer = json.loads(done.stdout)
    assert done.exit_code == 0
    assert list(answer) == ["accept", "reason", "claim", "claims", "renew", "respond"]
    assert (answer["accept"], answer["reason"], answer["claim"]) == (True, "ok", None)
    assert answer["claims"]["iss"] == "me" and answer["claims"]["cti"] == "0001"
    assert answer["renew"] is None and answer["respond"] is None


@pytest.mark.parametrize(
    ("args", "reason", "claim"),
    [
        (("--now", 1060), "expired", "exp"),
        (("--now", 1000, "--method", "HEAD"), "method", "catm"),
        (("--now", 1000, "--issuer", "you"), "issuer", "iss"),
    ],
)
def test_refused(run, keys, token, args, reason, claim):
    done = run("verify", token, "--keys", keys, "--uri", URI, *args)
    answer = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (answer["accept"], answer["reason"], answer["claim"]) == (False, reason, claim)
    assert answer["respond"]["headers"]["CAT-Reason"] == reason


def test_forms_of_a_token(run, keys, token):
    import base64

    data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    forms = [token, token + "=" * (-len(token) % 4), base64.b64encode(data).decode(), data.hex()]
    done = run(
        *("verify", "-", "--keys", keys, "--uri", URI, "--now", 1000), input="\n".join(forms) + "\n"
    )
    assert [json.loads(line)["accept"] for line in done.stdout.splitlines()] == [True] * 4
    assert done.exit_code == 0


def test_many_lines_with_one_bad(run, keys, token):
    done = run(
        *("verify", "-", "--keys", keys, "--uri", URI, "--now", 1000), input=f"{token}\nabc\n"
    )
    assert [json.loads(line)["reason"] for line in done.stdout.splitlines()] == ["ok", "malformed"]
    assert done.exit_code == 1


def test_failures_and_usage(run, keys, token, tmp_path):
    missing = run("verify", token, "--keys", tmp_path / "none", "--uri", URI)
    assert missing.exit_code == 3 and missing.stderr.count("\n") == 1
    assert run("verify", token, "--keys", keys).exit_code == 2
    assert run("verify", token, "--keys", keys, "--uri", URI, "--profile", "x").exit_code == 2
    assert run("verify", token, "--keys", keys, "--uri", URI, "--header", "x").exit_code == 2
    assert run("issue", "--keys", keys, "--claims", "[").exit_code == 2
    assert run("issue", "--keys", keys, "--claims", '{"catm": []}').exit_code == 3
    assert run("keygen", "--kid", "a", "--alg", "none").exit_code == 2


def test_inspect_needs_no_key_and_shows_no_secret(run, keys, token):
    done = run("inspect", token)
    assert done.exit_code == 0
    assert "HS256" in done.stdout and "catu" in done.stdout
    assert json.loads(keys.read_text())[0]["k"] not in done.stdout
    assert run("inspect", "nonsense").exit_code == 1


@pytest.mark.parametrize("command", ["keygen", "issue", "verify", "inspect"])
def test_help_has_an_example(run, command):
    assert "Example:" in run(command, "--help").stdout


def test_verify_prints_renewals_and_catif_answers(run, keys):
    """CAT-102"""
    claims = {
        "catr": {"0": 2, "1": 600},
        "catif": {"4": [307, {"Location": "https://login.example/"}, "a"]},
    }
    issued = run(
        *("issue", "--keys", keys, "--now", 1000, "--ttl", 60, "--claims", json.dumps(claims))
    )
    text = issued.stdout.strip()

    def verify(now):
        done = run("verify", text, "--keys", keys, "--uri", URI, "--now", now)
        return json.loads(done.stdout)

    renew = verify(1000)["renew"]
    assert list(renew) == ["type", "token", "status", "header"] and renew["type"] == "header"
    assert renew["header"] == f"cta-common-access-token: {renew['token']}"
    respond = verify(1060)["respond"]
    assert respond["status"] == 307 and respond["headers"]["Location"] == "https://login.example/"
    assert respond["body"] == {"error": "cat", "reason": "expired", "claim": "exp"}


def test_inspect_explains_a_verdict(run, keys, token):
    told = run("inspect", token, "--keys", keys, "--uri", URI, "--now", 1060).stdout
    assert "refused: expired, claim exp: the token is no longer valid" in told
    assert "step 10: times" in told and "unchecked" not in told
    told = run("inspect", token, "--keys", keys, "--uri", URI, "--now", 1000).stdout
    assert told.startswith("accepted: ")


def test_issue_warns_of_personal_claims(run, keys):
    """CAT-85"""
    done = run("issue", "--keys", keys, "--claims", '{"sub": "a@b.example"}')
    assert done.exit_code == 0 and "warning: sub names a person" in done.stderr
