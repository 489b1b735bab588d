"""All sections of headwater.toml; the rooms own their models, this file only collects them."""

import os
from itertools import cycle
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

import cdn_router.settings
import control_api.settings
import manifest_proxy.settings
import origin.settings
from headwater.ready import Packaging
from runtime.sections import SECTIONS as RUNTIME
from runtime.settings import Loaded, Section, load


class Token(Section):
    """Who signs playback tokens; every service and edge reads the same key file."""

    keys_file: Path | None = Field(None, description="JWK list; None: made under data.dir")


# By which players reach this machine, one for each CDN: Shaka leaves one that fails by its host
# name, and with it all others of that name.
HOST_NAMES = ("localhost", "127.0.0.1")


class Edge(Section):
    """One of the demo's CDNs."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,32}$")
    port: int = Field(ge=1, le=65535)
    admin_port: int = Field(ge=1, le=65535)
    platform: Literal["cloudfront", "akamai"] = Field(
        "cloudfront", description="whose edge script it runs"
    )


class Demo(Section):
    """What `headwater up --demo` adds."""

    enabled: bool = False
    host: str = "127.0.0.1"
    edges: list[Edge] = Field(
        default_factory=lambda: [
            Edge(name="CDN-A", port=8011, admin_port=8111, platform="cloudfront"),
            Edge(name="CDN-B", port=8012, admin_port=8112, platform="akamai"),
        ],
        min_length=2,
    )
    assets_dir: Path = Field(
        Path(__file__).resolve().parent.parent / "node_modules", description="players and fonts"
    )

    @property
    def base_urls(self) -> dict[str, str]:
        """Where players find the edges, by name."""
        return {
            edge.name: f"http://{host}:{edge.port}"
            for edge, host in zip(self.edges, cycle(HOST_NAMES), strict=False)
        }


SECTIONS: dict[str, type[BaseModel]] = {
    **RUNTIME,
    "token": Token,
    "origin": origin.settings.Settings,
    "proxy": manifest_proxy.settings.Settings,
    "router": cdn_router.settings.Settings,
    "control": control_api.settings.Settings,
    "package": Packaging,
    "demo": Demo,
}

DEFAULT_FILE = Path("headwater.toml")


def effective(config: Path | None, data: Path | None) -> Loaded:
    """Settings from the file, the environment and the command line, the last word last.

    Without `config`, headwater.toml in the working folder is read if there is one.
    """
    environ = dict(os.environ)
    if data is not None:
        environ["HEADWATER_DATA__DIR"] = str(data)
    if config is None and DEFAULT_FILE.exists():
        config = DEFAULT_FILE
    return load(SECTIONS, config, environ)
