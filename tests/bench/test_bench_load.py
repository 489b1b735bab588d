"""`headwater bench load`: targets and verdicts, and a real run against a real origin."""

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import typer
from probe.source import Origin, Source, until
from probe.world import Film
from typer.testing import CliRunner

from bench.players.report import Report
from bench.players.tally import percentile, tally
from headwater.load_cli import DEFAULT_SLO, MEASURES, bench_app, targets, verdicts


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([1.0] * 19 + [9.0], 0.95) == 1.0
    assert percentile([1.0] * 18 + [9.0] * 2, 0.95) == 9.0


def test_reports_add_up_by_kind() -> None:
    one = Report("live", startups_s=[1.0], stalls_s=[1.0], played_s=9.0, requests=10)
    two = Report("live", startups_s=[3.0], latencies_s=[4.0], played_s=10.0, requests=10)
    two.errors.update({"missing": 1, "gap": 3})
    found = tally([one, two, Report("vod")])
    assert found["live"]["sessions"] == 2
    assert found["live"]["startup_s"] == {"p50": 1.0, "p95": 3.0, "max": 3.0}
    assert found["live"]["stall_ratio"] == 0.05
    assert found["live"]["error_ratio"] == 0.05, "a gap is the encoder's, not an error"
    assert found["live"]["errors"] == {"gap": 3, "missing": 1}
    assert found["vod"]["stall_ratio"] is None


def test_every_target_can_be_judged() -> None:
    players = tally([Report("live", [1.0], [1.0], [1.0], [1.0], 1.0, requests=1)])
    judged = verdicts(players, dict.fromkeys(MEASURES, 0.5))
    assert [v.value for v in judged if v.value is None] == []
    assert {v.measure: v.met for v in judged}["stall_ratio"]
    assert not {v.measure: v.met for v in judged}["startup_p95_s"]
    assert [v.met for v in verdicts(tally([Report("live")]), DEFAULT_SLO)] == [False] * 3
    assert [v.met for v in verdicts({}, DEFAULT_SLO)] == [False] * 3


def test_users_of_services_are_judged_by_their_errors_alone() -> None:
    """The figures of a player, which they have not, are no misses of theirs."""
    evening = Report("control", requests=10)
    evening.errors["server"] = 1
    judged = verdicts(tally([evening, Report("steered", requests=4)]), DEFAULT_SLO)
    assert [(v.player, v.measure, v.value, v.met) for v in judged] == [
        ("control", "error_ratio", 0.1, False),
        ("steered", "error_ratio", 0.0, True),
    ]


def test_targets_come_from_pairs_and_files(tmp_path: Path) -> None:
    assert targets([]) == DEFAULT_SLO
    (tmp_path / "a.toml").write_text("stall_ratio = 0.5\nlatency_p95_s = 4\n")
    (tmp_path / "b.json").write_text('{"stall_ratio": 0.25}')
    files = [str(tmp_path / "a.toml"), str(tmp_path / "b.json")]
    assert targets([*files, "latency_p95_s=3"]) == {"stall_ratio": 0.25, "latency_p95_s": 3.0}


@pytest.mark.parametrize("text", ["speed=1", "stall_ratio=fast", "nowhere.toml"])
def test_unknown_targets_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        targets([text])


def test_unknown_users_are_refused() -> None:
    assert CliRunner().invoke(bench_app, ["load", "--user", "Nobody"]).exit_code == 2


@pytest.mark.serial
@pytest.mark.slow
def test_players_play_a_live_channel(films: dict[str, Film], tmp_path: Path) -> None:
    origin = Origin(tmp_path, hot_bytes=1 << 26)
    source = Source(films, origin.ingest)
    try:
        until(lambda: served(f"{origin.url}/live/demo/v1/media.m3u8"), "twelve seconds of media")
        argv = ["load", "--users", "6", "--for", "10", "--host", origin.url, "--json"]
        argv += ["--user", "LivePlayer", "--user", "LowLatencyPlayer", "--user", "CdnShield"]
        argv += ["--viewers", "4", "--slo", "error_ratio=0.05", "--slo", "startup_p95_s=60"]
        done = CliRunner().invoke(bench_app, argv)
        result = json.loads(done.stdout)
        assert done.exit_code == 0, result
        assert set(result["players"]) == {"live", "low_latency"}
        for kind in result["players"].values():
            assert kind["played_s"] > 0 and kind["media_bytes"] > 10_000
            assert kind["latency_s"]["p50"] is not None
        assert result["shield"]["collapsed"] > 0 < result["shield"]["hit"]
        assert result["http"]["media (blocking)"]["requests"] > 0
        missed = CliRunner().invoke(
            bench_app, ["load", "--users", "1", "--for", "3", "--host", origin.url,
                        "--slo", "startup_p50_s=0"],
        )  # fmt: skip
        assert missed.exit_code == 1 and "MISSED live startup_p50_s" in missed.stdout
    finally:
        source.stop()
        origin.stop()


def served(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return answer.read().count(b"#EXTINF") >= 12
    except HTTPError as refusal:
        refusal.close()
    except OSError:
        pass
    return False
