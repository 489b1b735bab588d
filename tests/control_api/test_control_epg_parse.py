"""Reading XMLTV: every quirk reaches its answer (CTL-40..60), hostile files fail (CTL-58)."""

import gzip
import io
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_api.epg import instants
from control_api.epg.episodes import identify, xmltv_ns
from control_api.epg.errors import EpgError
from control_api.epg.feed import Limits
from control_api.epg.normalise import Schedules, Target, normalise
from control_api.epg.report import Report
from control_api.epg.xmltv import Reader

EPG = Path(__file__).resolve().parents[3] / "shared/epg"
GENERATOR = EPG / "make_quirky_xmltv.py"
needs_samples = pytest.mark.skipif(not GENERATOR.exists(), reason="EPG samples are not here")
HOUR = 3_600_000
T0 = 1_774_656_000_000  # 2026-03-28T00:00Z


def guide(*rows: str, head: str = "") -> bytes:
    return f"<?xml version='1.0'?>{head}<tv>{''.join(rows)}</tv>".encode()


def row(start: str, stop: str = "", title: str = "A", extra: str = "", attrs: str = "") -> str:
    stop = f' stop="{stop}"' if stop else ""
    head = f'<programme channel="c" start="{start}"{stop}{attrs}>'
    return f"{head}<title>{title}</title>{extra}</programme>"


def read(data: bytes, channels: list[str] | None = None, **more: Any) -> tuple[Schedules, Report]:
    limits = more.pop("limits", Limits())
    reader = Reader(io.BytesIO(data), limits)
    targets = {each: Target(each) for each in channels or ["c"]}
    schedules, report = normalise(reader, targets, limits=limits, **more)
    report.encoding_overridden = int(reader.encoding_overridden)
    return schedules, report


def spans(data: bytes) -> list[tuple[float, float, str]]:
    """Hours since T0 and titles."""
    schedules, _ = read(data)
    return [
        ((e.start_ms - T0) / HOUR, (e.end_ms - T0) / HOUR, e.title) for e in schedules.get("c", [])
    ]


def made(tmp_path: Path, *args: str) -> tuple[bytes, dict[str, Any]]:
    out, truth = tmp_path / "g.xml", tmp_path / "t.json"
    subprocess.run(
        [sys.executable, str(GENERATOR), *args, "--out", str(out), "--truth", str(truth)],
        check=True,
    )
    return out.read_bytes(), json.loads(truth.read_text())


def check(data: bytes, truth: dict[str, Any]) -> None:
    if truth["fails"]:
        with pytest.raises(EpgError, match="not well-formed"):
            read(data, truth["channels"])
        return
    schedules, report = read(data, truth["channels"])
    found = [
        {
            "channel": channel,
            "start_ms": event.start_ms,
            "end_ms": event.end_ms,
            "season": event.season_no,
            "episode": event.episode_no,
            "titles": {lang: words.title for lang, words in event.words.items()},
        }
        for channel, events in schedules.items()
        for event in events
    ]
    assert {name: getattr(report, name) for name in truth["report"]} == truth["report"]
    assert found == truth["events"]


@needs_samples
@pytest.mark.parametrize("seed", range(12))
def test_all_quirks_at_once(seed: int, tmp_path: Path) -> None:
    packed = ("--gzip",) if seed % 2 else ()
    quirks = "all,-bom" if seed % 3 else "all,-encoding-lie"
    check(*made(tmp_path, "--seed", str(seed), "--days", "2", "--quirks", quirks, *packed))


@needs_samples
@pytest.mark.parametrize(
    "quirk",
    subprocess.run(
        [sys.executable, str(GENERATOR), "--list"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if GENERATOR.exists()
    else [],
    ids=lambda line: line.split()[0],
)
def test_one_quirk(quirk: str, tmp_path: Path) -> None:
    check(*made(tmp_path, "--seed", "5", "--quirks", quirk.split()[0], "--days", "2"))


@needs_samples
def test_many_seeds(tmp_path: Path) -> None:
    """The generator in this process: 150 files of random sets of quirks."""
    import argparse
    import importlib.util
    import random

    spec = importlib.util.spec_from_file_location("make_quirky_xmltv", GENERATOR)
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = generator
    spec.loader.exec_module(generator)
    rng = random.Random(8)
    names = sorted(set(generator.QUIRKS) - {"truncated"})
    for seed in range(150):
        on = set(rng.sample(names, rng.randint(0, len(names))))
        args = argparse.Namespace(
            seed=seed, channels=rng.randint(1, 6), days=rng.randint(1, 3), start="20260328", on=on
        )
        check(*generator.build(args))


@needs_samples
@pytest.mark.parametrize(
    ("name", "kept", "zero", "gaps", "overridden"),
    [
        ("jellyfin_uk_excerpt.xml", 228, 49, 60, 1),
        ("jellyfin_multilanguage.xml", 2, 0, None, 0),
        ("jellyfin_schedulesdirect.xml", 2, 0, None, 0),
        ("android_rich_tv_input.xml", 8, 0, None, 0),
    ],
)
def test_real_files(name: str, kept: int, zero: int, gaps: int | None, overridden: int) -> None:
    data = (EPG / name).read_bytes()
    reader = Reader(io.BytesIO(data))
    list(reader)
    _, report = read(data, list(reader.channels))
    assert (report.kept, report.dropped_zero_length) == (kept, zero)
    assert report.encoding_overridden == overridden
    assert gaps is None or report.gaps == gaps


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260328000000 +0000", T0),
        ("20260328010000 BST", T0),
        ("20260328010000+0100", T0),
        ("20260327190000 -0500", T0),
        ("20260328054500 +0545", T0),
        ("202603280000", T0),
        ("2026032800", T0),
        ("20260328", T0),
        ("202603", T0 - 27 * 24 * HOUR),
        ("2026", T0 - 86 * 24 * HOUR),
        ("20261301000000 +0000", None),
        ("20260229", None),
        ("20260328000000 +9900", None),
        ("20260328000000 +0060", None),
        ("20260328000000 XYZ", None),
        ("20260328240000", None),
        ("2026032800000", None),
        ("\u0662\u0660\u0662\u06660328", None),
        ("00010101", None),
        ("99991231", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_times(text: str, expected: int | None) -> None:
    """CTL-49, CTL-50."""
    assert instants.epoch_ms(text) == expected


def test_zone_of_the_source() -> None:
    """CTL-49: no zone means what the source says, over summer time too."""
    london = instants.zone("Europe/London")
    assert london is not None and instants.zone("Nowhere/Land") is None
    assert instants.zone("QQQ") is None and instants.zone("../etc/passwd") is None
    assert instants.epoch_ms("20260328000000", london) == T0
    assert instants.epoch_ms("20260601010000", london) == instants.epoch_ms("20260601000000")
    assert instants.epoch_ms("20260601000000 +0000", london) == instants.epoch_ms("20260601")


@given(st.text(max_size=40))
def test_no_text_breaks_times_or_numbers(text: str) -> None:
    assert (instants.epoch_ms(text) or 0) >= 0
    for number in xmltv_ns(text):
        assert number is None or 0 < number <= 1_000_000


def test_ids() -> None:
    """CTL-56, CTL-34."""
    assert xmltv_ns("18.50/30.") == (19, 51)
    assert xmltv_ns("2 . 9 . 0/1") == (3, 10)
    assert xmltv_ns(".26/0.") == (None, 27)
    assert xmltv_ns("x.-1.") == (None, None)
    found = identify(
        [
            ("onscreen", "S9E9"),
            ("dd_progid", "EP01.0002"),
            ("xmltv_ns", "0.1."),
            ("xmltv_ns", "5.5."),
            ("crid", "crid://bbc.co.uk/1"),
            ("crid.series", "crid://bbc.co.uk/s"),
            ("crid", "http://not.one/"),
        ]
    )
    assert found == (1, 2, "EP01.0002", "crid://bbc.co.uk/1", "crid://bbc.co.uk/s")


def test_derived_ends() -> None:
    """CTL-40: the next start, at most 6 h; the last by its length, else 30 min."""
    assert spans(guide(row("20260328"), row("2026032802"), row("2026032812"))) == [
        (0, 2, "A"),
        (2, 8, "A"),
        (12, 12.5, "A"),
    ]
    for extra, hours in (
        ('<length units="minutes">90</length>', 1.5),
        ('<length units="hours">2</length>', 2),
        ('<length units="hours">99</length>', 24),
        ('<length units="parsecs">2</length>', 0.5),
        ('<length units="hours">-2</length>', 0.5),
    ):
        assert spans(guide(row("20260328", extra=extra))) == [(0, hours, "A")]


def test_one_start_one_programme() -> None:
    """CTL-42..45 in this order."""
    at, end, later = "20260328", "2026032801", "2026032802"
    assert spans(guide(row(at, end, "A"), row(at, later, "A"))) == [(0, 2, "A")]
    assert spans(guide(row(at, end, "A"), row(at, title="A"))) == [(0, 1, "A")]
    assert spans(guide(row(at, end, "A"), row(at, later, "B"))) == [(0, 2, "B")]
    assert spans(guide(row(at, end, "A"), row(at, at, "B"))) == [(0, 1, "A")]
    assert spans(guide(row(at, at, "B"))) == [(0, 0.5, "B")]
    _, report = read(guide(row(at, at, "B")))
    assert (report.bad_stop, report.dropped_zero_length) == (1, 0)


def test_clumps() -> None:
    """CTL-45: even shares in index order, whatever the file's order."""
    at, end = "20260328", "2026032803"
    rows = [row(at, end, f"P{n}", attrs=f' clumpidx="{n}/3"') for n in (2, 0, 1)]
    assert spans(guide(*rows)) == [(0, 1, "P0"), (1, 2, "P1"), (2, 3, "P2")]
    schedules, report = read(guide(*rows))
    assert report.split_clump == 1 and all("approx" in e.flags for e in schedules["c"])
    assert spans(guide(row(at, end, "P", attrs=' clumpidx="0/1"'))) == [(0, 3, "P")]
    lone = [row(at, end, "P", attrs=' clumpidx="0/2"'), row(at, end, "Q", attrs=' clumpidx="7/2"')]
    assert spans(guide(*lone)) == [(0, 3, "Q")]


def test_texts_and_flags() -> None:
    """CTL-54, CTL-55: first of a language, NFC, default by the source's language."""
    texts = (
        '<title lang="fr">Cafe\u0301</title><title lang="fr">x</title><title lang=""> U </title>'
    )
    data = guide(
        row("20260328", title="en?", extra=texts + "<new/><previously-shown/><lcn>1</lcn>")
    )
    (event,) = read(data, lang="fr")[0]["c"]
    assert {lang: words.title for lang, words in event.words.items()} == {
        "und": "en?",
        "fr": "Caf\u00e9",
    }
    assert (event.title, event.flags) == ("Caf\u00e9", ("new", "repeat"))
    (event,) = read(data, lang="de")[0]["c"]
    assert event.title == "en?"


def test_encodings() -> None:
    """CTL-53."""
    text = guide(row("20260328", title="Café ي")).decode()
    lie = text.replace("'1.0'", "'1.0' encoding='ISO-8859-1'")
    (schedules, report) = read(lie.encode())
    assert (schedules["c"][0].title, report.encoding_overridden) == ("Café ي", 1)
    honest = lie.replace(" ي", "").encode("latin-1")
    (schedules, report) = read(honest)
    assert (schedules["c"][0].title, report.encoding_overridden) == ("Café", 0)
    (schedules, report) = read(b"\xef\xbb\xbf" + lie.encode())
    assert (schedules["c"][0].title, report.encoding_overridden) == ("Café ي", 1)
    (schedules, _) = read(text.replace("'1.0'", "'1.0' encoding='utf-16'").encode("utf-16"))
    assert schedules["c"][0].title == "Café ي"


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
BOMB = f'<!DOCTYPE tv [<!ENTITY a0 "ha">{LAUGHS}]>'
SECRET = '<!DOCTYPE tv [<!ENTITY s SYSTEM "file:///etc/hostname">]>'
FAT = b"<tv>" + b"<x><y>" + b"z" * 300_000
HOSTILE = {
    "entity bomb": (guide(row("20260328", title="&a11;"), head=BOMB), "entities|not_well"),
    "bomb in an attribute": (guide('<channel id="&a11;"/>', head=BOMB), "entities|not_well"),
    "file entity": (guide(row("20260328", title="&s;"), head=SECRET), "entities"),
    "not XML": (b"hello", "not_well"),
    "empty": (b"", "not_well"),
    "HTML": (b"<html><body/></html>", "not_xmltv"),
    "cut": (guide(row("20260328"))[:-4], "not_well"),
    "trailing": (guide() + b"<tv/>", "not_well"),
    "bad UTF-8": (guide(row("20260328", title="x")).replace(b">x<", b">\xff<"), "not_well"),
    "endless element": (FAT, "too_large"),
    "deep": (b"<tv>" + b"<x>" * 9_000, "not_well"),
    "dense": (gzip.compress(b"<tv>" + b"<channel/>" * 900_000 + b"</tv>"), "too_dense"),
    "gzip cut": (gzip.compress(guide())[:-3], "bad_gzip"),
    "gzip noise": (b"\x1f\x8b" + bytes(range(99)), "bad_gzip"),
    "long": (guide(*["<channel id='c'/>"] * 30_000), "too_large"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_fail_whole(name: str) -> None:
    """CTL-58, CTL-61."""
    data, codes = HOSTILE[name]
    with pytest.raises(EpgError) as caught:
        read(
            data,
            limits=Limits(
                unpacked_bytes=300_000 if name == "long" else 1 << 30, element_bytes=200_000
            ),
        )
    assert any(caught.value.code.startswith(code) for code in codes.split("|")), caught.value.code


def test_retained_rows_are_bounded() -> None:
    rows = [row(f"2026032{n % 9}", title="t" * 900) for n in range(50)]
    with pytest.raises(EpgError, match="of programmes"):
        read(guide(*rows), limits=Limits(retained_bytes=20_000))


def test_gzip_members_and_external_dtd() -> None:
    """CTL-58: several members are one file; the DTD's server is never asked."""
    data = guide(row("20260328"), head='<!DOCTYPE tv SYSTEM "http://dtd.invalid/xmltv.dtd">')
    packed = gzip.compress(data[:60]) + gzip.compress(data[60:])
    assert read(packed)[1].kept == 1


ROWS = st.lists(
    st.builds(
        lambda start, stop, title, clump: row(
            f"202603{28 + start // 24:02d}{start % 24:02d}",
            stop and f"202603{28 + stop // 24:02d}{stop % 24:02d}",
            title,
            attrs=f' clumpidx="{clump}"',
        ),
        st.integers(0, 60),
        st.integers(0, 71),
        st.sampled_from("AB"),
        st.sampled_from(["", "0/2", "1/2", "3/2"]),
    ),
    max_size=14,
)


@settings(max_examples=200)
@given(ROWS)
def test_any_rows_make_an_ordered_schedule(rows: list[str]) -> None:
    schedules, report = read(guide(*rows))
    events = schedules.get("c", [])
    assert all(0 < e.end_ms - e.start_ms <= 24 * HOUR for e in events)
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(events))
    lost = report.dropped_zero_length + report.dropped_duplicate + report.replaced_same_start
    assert report.seen == len(rows) and report.kept <= len(rows) - lost
