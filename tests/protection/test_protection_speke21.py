"""SPEKE 2.1: CPIX 2.4, periods with their times, output protection (PR-65, PR-91, PR-100)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from origin_rigs.speke_rig import speke_server

from origin.protection import speke
from origin.protection.contract import Contract
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.sources import key_sources
from origin.protection.speke_source import SpekeSource
from origin.settings import Settings

BEGIN, LASTS = 1_767_225_600, 3_600  # 2026-01-01T00:00:00Z
WANTED = speke.Request(
    "news", "cbcs", BEGIN, Contract("V2"), ("widevine",), version="2.1", ends=BEGIN + LASTS
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with speke_server(tmp_path_factory.mktemp("speke21")) as address:
        yield address


def test_periods_are_asked_for_with_their_times() -> None:
    body = WANTED.body().decode()
    assert 'version="2.4"' in body and WANTED.headers[speke.VERSION_HEADER] == "2.1"
    [period] = re.findall("<cpix:ContentKeyPeriod [^>]*>", body)
    assert f'index="{BEGIN}"' in period
    assert 'start="2026-01-01T00:00:00Z" end="2026-01-01T01:00:00Z"' in period
    older = speke.Request("news", "cbcs", BEGIN, Contract("V2"), ("widevine",), ends=BEGIN + LASTS)
    assert 'version="2.3"' in older.body().decode() and "start=" not in older.body().decode()


async def test_a_channel_gets_the_keys_of_a_period(server: str, tmp_path: Path) -> None:
    """Through the settings of an origin, whose channel says how long a period is; then kept."""
    settings = Settings.model_validate(
        {
            "channels": {
                "one": {
                    "protection": {"source": "speke", "content_id": "news", "rotation_s": LASTS}
                }
            },
            "protection": {
                "systems": ["widevine"],
                "speke": {"url": f"{server}/good", "version": "2.1", "video": "V2"},
            },
        }
    )
    source = key_sources(settings, tmp_path)["speke"]
    assert isinstance(source, SpekeSource)
    asked: list[speke.Request] = []
    whole = source._asked

    async def noted(request: speke.Request) -> object:
        asked.append(request)
        return await whole(request)

    source._asked = noted  # type: ignore[method-assign,assignment]
    grants = await source.keys("news", "cbcs", BEGIN, ["audio", "sd", "hd"])
    assert [(r.version, r.period, r.ends) for r in asked] == [("2.1", BEGIN, BEGIN + LASTS)]
    assert len({grant.key.kid for grant in grants.values()}) == 3
    again = await source.keys("news", "cbcs", BEGIN, ["audio", "sd", "hd"])
    assert len(asked) == 1
    assert {r: g.key.kid for r, g in again.items()} == {r: g.key.kid for r, g in grants.items()}
    file = KeyFile.open(settings.protection, tmp_path)
    assert all(file.by_kid(grant.key.kid) for grant in grants.values())
    await source.keys("other", "cbcs", BEGIN, ["sd"])
    assert asked[-1].ends == 0, "nobody knows how long its periods are"


def answered(body: bytes) -> bytes:
    """The request's own document, filled in."""
    value = (
        b"<pskc:Secret><pskc:PlainValue>AAECAwQFBgcICQoLDA0OD%s==</pskc:PlainValue></pskc:Secret>"
    )
    letters = iter((b"w", b"g", b"Q"))
    text = re.sub(
        rb"(<cpix:ContentKey [^>]*)/>",
        lambda found: (
            found[1]
            + b'><cpix:HDCPData HLSHDCPLevel="TYPE-1"/><cpix:Data>'
            + value % next(letters)
            + b"</cpix:Data></cpix:ContentKey>"
        ),
        body,
    )
    line = b"I0VYVC1YLVg6QT0x"  # a tag of no meaning
    text = re.sub(
        rb'<cpix:HLSSignalingData playlist="(\w+)"/>',
        rb'<cpix:HLSSignalingData playlist="\1">' + line + b"</cpix:HLSSignalingData>",
        text,
    )
    descriptor = b"<cpix:ContentProtectionData>PGEvPg==</cpix:ContentProtectionData>"
    text = text.replace(b"<cpix:ContentProtectionData/>", descriptor)
    box = b"AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAA="
    return text.replace(b"<cpix:PSSH/>", b"<cpix:PSSH>" + box + b"</cpix:PSSH>")


@pytest.mark.parametrize("name", [b"master", b"multiVariant"])
def test_answers_say_master_or_multi_variant(name: bytes) -> None:
    """SPEKE 2.1 and CPIX 2.4 call one playlist by two names; output protection comes along."""
    body = answered(WANTED.body()).replace(b'playlist="master"', b'playlist="%s"' % name)
    grants = speke.read(WANTED, body, {})
    for grant in grants.values():
        assert grant.systems[0].main_lines == ("#EXT-X-X:A=1",)
        assert grant.systems[0].hdcp_level == "TYPE-1"
    with pytest.raises(ProtectionError, match="another CPIX@version"):
        speke.read(WANTED, body.replace(b'version="2.4"', b'version="2.3"'), {})
    with pytest.raises(ProtectionError, match="lacks master"):
        speke.read(WANTED, body.replace(b'playlist="%s"' % name, b'playlist="media"'), {})
