"""No way to private addresses (MP-80..MP-83): literals, names, rebinding, redirects."""

import socket
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from manifest_proxy.errors import UpstreamError
from manifest_proxy.fetching import GuardedFetcher
from manifest_proxy.upstream import Upstream
from native.http import Answer, Entity, Refusal, Request, serve
from runtime.clock import ManualClock
from runtime.fetch import FetchError
from runtime.guard import permitted


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1"),
        *("169.254.169.254", "100.64.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "::", "::1", "fe80::1%eth0", "fe80::1", "fc00::1", "fd00:ec2::254"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1"),
        *("64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "ff02::1"),
        *("2001:db8::1", "", "localhost", "2130706433", "0x7f000001", "127.1", "1.2.3.4.5"),
    ],
)
def test_refused(address: str) -> None:
    assert not permitted(address, [])


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"],
)
def test_public_ones_pass(address: str) -> None:
    assert permitted(address, [])


def test_configured_networks_pass() -> None:
    private = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    assert permitted("10.1.9.9", private) and permitted("fd00::1", private)
    assert not permitted("10.2.0.1", private) and not permitted("::ffff:10.2.0.1", private)


class Names(AbstractResolver):
    """A name server of ours: each question gets the next answer."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for one in found
        ]

    async def close(self) -> None:
        self.answers.clear()


class Asked:
    """A server on loopback that nobody should reach."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.pages: dict[str, Answer] = {}

    def __call__(self, request: Request) -> Answer:
        self.paths.append(request.path)
        return self.pages.get(request.path) or Refusal(404, "not_found")


@pytest.mark.parametrize(
    "answers",
    [
        [["127.0.0.1"]],
        [["8.8.8.8", "127.0.0.1"]],  # one bad address spoils the name
        [["::ffff:127.0.0.1"]],
    ],
)
async def test_a_name_that_means_loopback_is_refused(answers: list[list[str]]) -> None:
    asked = Asked()
    server = await serve(asked, host="127.0.0.1", port=0)
    base = f"http://media.example:{server.port}"
    async with GuardedFetcher([base], resolver=Names(*answers)) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(base + "/m.mpd")
    await server.close()
    assert caught.value.code == "address_refused" and asked.paths == []


async def test_the_judged_address_is_the_one_connected_to() -> None:
    """A name is asked once per connection; a second, other answer is judged as well."""
    asked = Asked()
    asked.pages["/m.mpd"] = Entity(b"x", content_type="text/plain", cache_control="no-store")
    server = await serve(asked, host="127.0.0.1", port=0)
    base = f"http://media.example:{server.port}"
    private = [ip_network("127.0.0.1/32")]
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with GuardedFetcher([base], private=private, resolver=names) as fetcher:
        assert (await fetcher.get(base + "/m.mpd")).body == b"x"
        assert names.answers == [["127.0.0.2"]]
    again = GuardedFetcher([base], private=private, resolver=Names(["127.0.0.2"]))
    async with again as fetcher:
        with pytest.raises(FetchError, match="address_refused"):
            await fetcher.get(base + "/m.mpd")
    await server.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://user@o.example/x",
        "http://o.example@127.0.0.1/x",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1%25eth0]/",
        "http://o.example:22/x",
        "https://o.example/x",
        "http://o.example.evil/x",
        "//o.example/x",
        "file:///etc/passwd",
        "gopher://o.example/",
        "http://o.example\\@evil/",
    ],
)
def test_only_configured_origins_are_asked(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        GuardedFetcher(["http://o.example"]).allowed(url)
    assert caught.value.code in ("bad_url", "not_allowed")


@pytest.mark.parametrize(
    "there, reached",
    [
        ("/other.m3u8", True),
        ("other.m3u8?x=1", True),
        ("http://169.254.169.254/other.m3u8", False),
        ("//evil.example/other.m3u8", False),
        ("http://127.0.0.1:1/other.m3u8", False),
        ("/m.m3u8", False),
        ("", False),
    ],
)
async def test_redirects_stay_at_the_origin(there: str, reached: bool) -> None:
    asked = Asked()
    asked.pages["/m.m3u8"] = Entity(
        b"", content_type="t/p", cache_control="no-store", status=302, headers=[("Location", there)]
    )
    asked.pages["/other.m3u8"] = Entity(b"#EXTM3U\n", content_type="t/p", cache_control="no-store")
    server = await serve(asked, host="127.0.0.1", port=0)
    base = f"http://127.0.0.1:{server.port}"
    async with GuardedFetcher([base]) as fetcher:
        cache = Upstream(
            fetcher,
            base,
            ManualClock(),
            stale_if_error_s=0,
            blocking_timeout_s=1,
            capacity=9,
            capacity_bytes=999,
        )
        if reached:
            version = await cache.get("/m.m3u8")
            assert version.url.path == b"/other.m3u8", "children resolve against it (HLS-M3)"
        else:
            with pytest.raises(UpstreamError, match="origin_redirect"):
                await cache.get("/m.m3u8")
    await server.close()
