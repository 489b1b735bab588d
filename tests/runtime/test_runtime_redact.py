"""Secrets in every shape they travel, and the harmless things that must stay readable."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import logs, redact

TOKEN = "0YRDoQEFoQRDa2lkWC9-cQdheJTxZ3ZlLnRlc3QGGmWSCGQvAbxYIJ7Z4B2k9dQw1X"


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("/live/x.m3u8?CAT=abc&a=1", "/live/x.m3u8?CAT=[redacted]&a=1"),
        ("/live/x.m3u8?a=1&cat=abc", "/live/x.m3u8?a=1&cat=[redacted]"),
        ("/x?access_token=abc&my-key=abc", "/x?access_token=[redacted]&my-key=[redacted]"),
        ("/x?tokens=2&monkey=abc",) * 2,
        ("/cat:abc/live/x", "/cat:[redacted]/live/x"),
        ("Authorization: Bearer abcdefgh.ij", "Authorization: Bearer [redacted]"),
        ("postgresql://u:pw@h/db", "postgresql://u:[redacted]@h/db"),
        ("redis://:pw@h", "redis://:[redacted]@h"),
        (f"saw {TOKEN} here", "saw [redacted] here"),
        ("d18443" * 40, "[redacted]"),
        ("ab" * 32, "ab" * 32),
        ("http://h:8001/live/demo/video-1080p-high-frame-rate-rendition/media.m3u8",) * 2,
        ("req 01890a5d-ac96-774b-bcce-b302099a8057",) * 2,
        ("cat=dog; plain words",) * 2,
    ],
)
def test_text(given_text: str, expected: str) -> None:
    assert redact.text(given_text) == expected


@given(st.text(alphabet="abcXYZ0189_-", min_size=1, max_size=60))
def test_a_named_secret_never_survives(value: str) -> None:
    value = "~" + value
    tree = {"token": value, "deep": [{"Authorization": value, "api_key": value}]}
    assert value not in repr(redact.tree(tree))


def test_depth_is_bounded() -> None:
    deep: dict[str, object] = {}
    node = deep
    for _ in range(5000):
        node["x"] = node = {}
    assert redact.MASK in repr(redact.tree(deep))


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield capsys
    logs.console()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def test_a_line_is_json_with_ids_and_no_secret(lines: pytest.CaptureFixture[str]) -> None:
    logs.setup("test", "info")  # here: each phase of a test has a stdout of its own
    log = logs.get("room")
    with logs.bound(request_id="r1", session_id="s1"):
        log.info("issued", token="hunter2", url=f"http://h/?CAT={TOKEN}", n=3)
    log.debug("hidden")
    try:
        raise ValueError(f"bad {TOKEN}")
    except ValueError:
        log.exception("boom")
    logging.getLogger("driver").warning("driver says password=%s", "x", extra={"secret": "y"})
    out = lines.readouterr().out
    first, second, third = (json.loads(line) for line in out.splitlines())
    assert (first["event"], first["room"], first["service"], first["level"], first["n"]) == (
        *("issued", "room", "test", "info"),
        3,
    )
    assert (first["request_id"], first["session_id"]) == ("r1", "s1")
    assert "request_id" not in second
    assert "ValueError" in second["exception"]
    assert (third["event"], third["secret"]) == ("driver says password=x", "[redacted]")
    assert "hunter2" not in out
    assert TOKEN not in out


@pytest.mark.parametrize("form", [logs.console, lambda: logs.setup("test")])
def test_a_traceback_tells_no_values(
    lines: pytest.CaptureFixture[str], form: Callable[[], None]
) -> None:
    """Nor a part of one, however short a token is."""
    short = "rt.sec"[::-1]

    def fail(header: str) -> None:
        raise ValueError(f"a header of {len(header)} letters")

    form()
    log = logs.get("room")
    try:
        fail(f"Bearer {short}")
    except ValueError:
        log.exception("unexpected", authorization=f"Bearer {short}", url=f"/?CAT={short}")
    out = lines.readouterr().out
    assert "a header of 13 letters" in out and "in fail" in out
    assert short not in out
