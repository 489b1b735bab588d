"""Places of addresses from databases in MaxMind's format, read for what they are (RT-2)."""

import asyncio
import struct
from ipaddress import ip_network
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdn_router.cells import geoip
from cdn_router.cells.geoip import READ, GeoIp
from cdn_router.cells.place import Place
from cdn_router.cells.state import State
from cdn_router.policies.face import Cdn, Cell
from cdn_router.server import build, build_intake, parts
from cdn_router.settings import Settings

NOW_MS = 1_700_000_000_000
COUNTRIES = {
    "192.0.2.0/24": {"country": {"iso_code": "SE"}},
    "198.51.100.0/25": {"registered_country": {"iso_code": "NO"}},
    "2001:db8::/32": {"country": {"iso_code": "DE"}},
    "203.0.113.128/25": {"country": "of another maker's form"},
}
NETWORKS = {"192.0.2.0/25": {"autonomous_system_number": 64_500}}


def encoded(value: object) -> bytes:
    """A value of the data section (MaxMind DB format 2.0, "Data field format")."""
    if isinstance(value, dict):
        pairs = b"".join(encoded(key) + encoded(each) for key, each in value.items())
        return bytes([7 << 5 | len(value)]) + pairs
    if isinstance(value, str):
        return bytes([2 << 5 | len(value)]) + value.encode()
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(encoded, value))
    assert isinstance(value, int)
    return bytes([6 << 5 | 4]) + struct.pack(">I", value)


def database(rows: dict[str, object]) -> bytes:
    """A database of IPv6 with these networks; IPv4 lies in ::/96."""
    tree: list[list[int | bytes | None]] = [[None, None]]
    for name, row in rows.items():
        network = ip_network(name)
        bits = network.prefixlen + (96 if network.version == 4 else 0)
        address, node = int(network.network_address), 0
        for at in range(bits):
            side = address >> 127 - at & 1
            if at == bits - 1:
                tree[node][side] = encoded(row)
                break
            following = tree[node][side]
            if not isinstance(following, int):
                following = tree[node][side] = len(tree)
                tree.append([None, None])
            node = following
    data, nodes = b"", b""
    for sides in tree:
        for side in sides:
            if isinstance(side, bytes):
                nodes += struct.pack(">I", len(tree) + 16 + len(data))
                data += side
            else:
                nodes += struct.pack(">I", len(tree) if side is None else side)
    described = {
        **{"binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1},
        **{"database_type": "Test", "description": {"en": "test"}, "ip_version": 6},
        **{"languages": ["en"], "node_count": len(tree), "record_size": 32},
    }
    return nodes + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encoded(described)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    named = {"country.mmdb": COUNTRIES, "asn.mmdb": NETWORKS}
    for name, rows in named.items():
        (tmp_path / name).write_bytes(database(dict(rows)))
    return [str(tmp_path / name) for name in named]


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", Place("SE", "AS64500")),
        ("192.0.2.200", Place("SE", "")),
        ("198.51.100.1", Place("NO", "")),
        ("198.51.100.129", Place()),
        ("2001:db8:1::7", Place("DE", "")),
        ("203.0.113.1", Place()),
        ("203.0.113.128", Place()),
        ("no address", Place()),
    ],
)
def test_places(files: list[str], address: str, place: Place) -> None:
    assert GeoIp(files)(address) == place


def test_players_are_in_the_cell_of_their_address(files: list[str]) -> None:
    """From settings.geoip on; what a session's start said goes before what its address says."""
    chosen = Settings(geoip=files)
    state = State((Cdn("CDN-A"), Cdn("CDN-B")), NOW_MS / 1000)
    intake = build_intake(chosen, build(chosen), state)
    for second in (0, 6):
        row = (
            f'br=(4000),e=rr,rc=200,sid="s",ts={NOW_MS + second},url="http://localhost:8011/1",v=2'
        )
        intake.take(row.encode(), "192.0.2.7", NOW_MS + second * 1000)
    assert state.snapshot(NOW_MS + 6_000).cells[Cell("SE", "AS64500")][0].n > 0


@pytest.mark.parametrize("content", [b"", b"no database", b"\xab\xcd\xefMaxMind.com\xff"])
def test_what_is_no_database_is_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mmdb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.mmdb"):
        GeoIp([str(path)], required=False)
    with pytest.raises(OSError):
        GeoIp([str(tmp_path / "none.mmdb")])


MOVED = {"192.0.2.0/24": {"country": {"iso_code": "FI"}}}


def replaced(path: Path, content: bytes) -> None:
    """As tools do it: a new file takes the name."""
    passing = path.with_suffix(".new")
    passing.write_bytes(content)
    passing.replace(path)


def read(outcome: str) -> float:
    return float(READ.labels(outcome)._value.get())


def test_a_replaced_database_is_read_and_a_broken_one_is_not(files: list[str]) -> None:
    places, path, before = GeoIp(files), Path(files[0]), read("refused")
    good, moved = path.read_bytes(), database(dict(MOVED))
    assert places("192.0.2.7") == Place("SE", "AS64500")
    replaced(path, moved)
    places.look()
    assert places("192.0.2.7").region == "SE", "it may still be being written"
    places.look()
    assert places("192.0.2.7") == Place("FI", "AS64500"), "the other file is as it was"
    for broken in (b"", good[: len(good) // 2], good.replace(b"node_count", b"xode_count")):
        replaced(path, broken)
        for _ in range(3):
            places.look()
        assert places("192.0.2.7") == Place("FI", "AS64500")
    assert read("refused") - before == 3, "each is refused once"
    path.unlink()
    places.look()
    assert places("192.0.2.7") == Place("FI", "AS64500")
    path.write_bytes(good)
    places.look()
    places.look()
    assert places("192.0.2.7") == Place("SE", "AS64500")


def test_a_file_that_changes_waits_until_it_is_whole(files: list[str]) -> None:
    """Written in place, slowly."""
    places, path, content = GeoIp(files), Path(files[0]), database(dict(MOVED))
    for end in range(0, len(content), len(content) // 7 + 1):
        path.write_bytes(content[:end])
        places.look()
        assert places("192.0.2.7").region == "SE"
    path.write_bytes(content)
    places.look()
    places.look()
    assert places("192.0.2.7").region == "FI"


@pytest.mark.parametrize("error", [PermissionError, OSError])
def test_a_file_that_cannot_be_read_for_a_while_is_tried_again(
    files: list[str], monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    places, path, refused = GeoIp(files), Path(files[0]), read("refused")
    replaced(path, database(dict(MOVED)))

    def fails(path: str) -> None:
        raise error(path)

    with monkeypatch.context() as broken:
        broken.setattr(geoip, "opened", fails)
        for _ in range(3):
            places.look()
    assert places("192.0.2.7").region == "SE" and read("refused") == refused
    places.look()
    assert places("192.0.2.7").region == "FI"


def test_without_its_file_places_are_unknown_until_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "later.mmdb"
    places = GeoIp([str(path)], required=False)
    assert places("192.0.2.7") == Place()
    path.write_bytes(database(dict(COUNTRIES)))
    places.look()
    places.look()
    assert places("192.0.2.7") == Place("SE", "")


async def test_a_running_router_sees_new_files(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geoip, "LOOK_S", 0.001)
    [part] = [p for p in parts(Settings(geoip=files)) if p.name == "geoip"]
    refused = read("refused")
    await part.start()
    replaced(Path(files[0]), b"broken")
    async with asyncio.timeout(60):
        while read("refused") == refused:
            await asyncio.sleep(0.001)
    assert part.ready() is None
    await part.stop()


@given(at=st.integers(0, 4_000), to=st.binary(min_size=1, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_damaged_database_is_refused_or_harmless(at: int, to: bytes) -> None:
    content = bytearray(database(dict(COUNTRIES)))
    at %= len(content)
    content[at : at + len(to)] = to
    with NamedTemporaryFile(suffix=".mmdb") as file:
        file.write(content)
        file.flush()
        try:
            places = GeoIp([file.name])
        except ValueError:
            return
        for address in ("192.0.2.7", "198.51.100.1", "2001:db8::1", "255.255.255.255"):
            assert len(places(address).region) <= 2
