"""Where webhooks never go, however an address is written and whatever a name means (CTL-154)."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import RawTestServer
from control_rigs.hooks import VAULT, Site

from control_api.webhooks.sender import Sender, fetcher
from control_api.webhooks.settings import Webhooks
from runtime.clock import SYSTEM

HERE = (
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0.0.0.0",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "localhost",
    "LOCALHOST.",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
)
REFUSALS = {"address_refused", "bad_url", "refused", "unreachable"}


class Row:
    """An endpoint's row, for a sender."""

    id = "whk_1"
    secret_current = VAULT.seal("whk_1", b"s" * 32)
    secret_previous = None

    def __init__(self, url: str) -> None:
        self.url = url


class Turncoat(AbstractResolver):
    """A name that means one address after the other."""

    def __init__(self, *meanings: str) -> None:
        self.meanings = list(meanings)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        meant = self.meanings[min(self.asked, len(self.meanings) - 1)].split()
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in meant
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def port(site: Site) -> AsyncIterator[int]:
    """Where this machine would take what must not come."""
    server = RawTestServer(site, host="0.0.0.0")
    await server.start_server()
    assert server.port is not None
    yield server.port
    await server.close()


async def error_of(url: str, **settings: object) -> str:
    given = Webhooks.model_validate({"allow_http": True, "timeout_s": 2.0} | settings)
    async with fetcher(given) as client:
        return (await Sender(client, VAULT, SYSTEM).send(Row(url), "msg_1", b"{}")).error


@pytest.mark.parametrize("host", HERE)
async def test_no_spelling_of_this_machine_is_asked(host: str, port: int, site: Site) -> None:
    assert await error_of(f"http://{host}:{port}/in") in REFUSALS
    assert site.got == []


@pytest.mark.parametrize(
    "meant",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "10.0.0.7",
        "169.254.169.254",
        "fd00:ec2::254",
        "93.184.216.34 127.0.0.1",  # one public address does not vouch for the other
    ],
)
async def test_no_name_leads_to_a_private_address(
    meant: str, port: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: Turncoat(meant))
    assert await error_of(f"http://hooks.example:{port}/in") == "address_refused"
    assert site.got == []


async def test_a_name_that_changes_its_mind_gains_nothing(
    port: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged at each connection, and the connection goes to the address that was judged."""
    names = Turncoat("127.0.0.2", "127.0.0.1")
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: names)
    url = f"http://hooks.example:{port}/in"
    vouched = {"private_networks": ["127.0.0.2/32"]}
    assert await error_of(url, **vouched) == "", "its first meaning may be asked"
    assert names.asked == 1, "nobody asked again between the judgement and the connection"
    assert await error_of(url, **vouched) == "address_refused"
    assert len(site.got) == 1


async def test_no_redirect_leads_there(
    port: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: Turncoat("127.0.0.2"))
    site.says(307, "/in", Location=f"http://127.0.0.1:{port}/inside")
    vouched = {"private_networks": ["127.0.0.2/32"]}
    assert await error_of(f"http://hooks.example:{port}/in", **vouched) == "status 307"
    assert [path for path, _, _ in site.got] == ["/in"]
