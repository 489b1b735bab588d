"""Who moves a port of `headwater up` need not tell the services that call there."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

from runtime.settings import PREFIX, Loaded

# A URL's setting, and that of the port which it leads to.
PORTS: Mapping[str, str] = {
    "control.public_url": "control.port",
    "control.proxy_public_url": "proxy.port",
    "control.router_url": "router.port",
    "control.recordings.ingest_url": "origin.ingest_port",
    "control.recordings.delivery_url": "origin.delivery_port",
    "proxy.public_url": "proxy.port",
    "proxy.origin_url": "origin.delivery_port",
    "proxy.steering_url": "router.port",
    "router.public_url": "router.port",
    "router.console_origin": "control.port",
}


def environment(loaded: Loaded) -> dict[str, str]:
    """Variables for the URLs nobody said, of ports that somebody did."""
    return {
        PREFIX + url.upper().replace(".", "__"): _at(_value(loaded, url), _value(loaded, port))
        for url, port in PORTS.items()
        if loaded.where[url] == "default" and loaded.where[port] != "default"
    }


def _value(loaded: Loaded, path: str) -> Any:
    section, _, key = path.partition(".")
    return attrgetter(key)(loaded.values[section])


def _at(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.hostname}:{port}").geturl()
