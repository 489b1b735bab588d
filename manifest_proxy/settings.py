"""Settings of the manifest proxy, section `[proxy]`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator

from runtime.settings import Section

from .policy import PATHWAY_ID

BaseUrl = Annotated[str, Field(pattern=r"^https?://[^/?#\s\"<>]+(/[^?#\s\"<>]*[^/?#\s\"<>])?$")]


class PathwaySettings(Section):
    """A CDN as players reach it."""

    id: Annotated[str, Field(pattern=f"^{PATHWAY_ID.pattern}$", max_length=64)]
    base_url: BaseUrl


class OriginAccess(Section):
    """What the origin's delivery port asks its clients for; all that is set is sent."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "x-origin-secret"
    secret: SecretStr = SecretStr("")
    bearer: SecretStr = SecretStr("")
    g2o_nonce: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = ""  # names the key
    g2o_key: SecretStr = SecretStr("")


class Settings(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8003
    admin_port: Annotated[int, Field(ge=0, le=65535)] = 8103
    public_url: BaseUrl = "http://localhost:8003"  # where players reach this proxy
    origin_url: BaseUrl = "http://127.0.0.1:8001"  # the only server manifests are fetched from
    backup_origin_url: BaseUrl | None = (
        None  # serves the same; asked when the first is slow or down
    )
    hedge_s: Annotated[float, Field(gt=0, le=5)] = 0.3
    # Where names may resolve to beside public addresses (MP-82); literals above are configured.
    private_networks: list[IPvAnyNetwork] = Field(default_factory=list)
    origin_access: OriginAccess = Field(default_factory=OriginAccess)
    cmcd_url: BaseUrl | None = None  # the router's intake: gets what players tell with requests
    steering_url: str = "http://localhost:8004/steer"  # /hls and /dash follow; empty: no steering
    pathways: Annotated[list[PathwaySettings], Field(min_length=1)] = Field(
        default_factory=lambda: [
            PathwaySettings(id="CDN-A", base_url="http://localhost:8011"),
            PathwaySettings(id="CDN-B", base_url="http://localhost:8012"),
        ]
    )
    require_token: bool = True
    # The CDN in front checks tokens and leaves them out of its cache key, so it may hold copies.
    shared_copies: bool = False
    rules_file: Path | None = None  # TOML or JSON; read again when it changes
    # Where the CDN in front tells the viewer's country, such as CloudFront-Viewer-Country.
    country_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]*$")] = ""
    # The CDN's addresses and networks: nobody else's word about the country counts.
    trusted_proxies: list[IPvAnyNetwork] = Field(default_factory=list)
    session_secret: SecretStr = SecretStr("")  # the same on all nodes; none: viewers choose nothing
    fetch_timeout_s: Annotated[float, Field(gt=0, le=30)] = 2.0  # MP-31
    blocking_timeout_s: Annotated[float, Field(gt=0, le=60)] = 14.0  # a held playlist (HLS-29)
    max_manifest_bytes: Annotated[int, Field(gt=0, le=16 << 20)] = 2 << 20  # MP-34
    stale_if_error_s: Annotated[float, Field(ge=0, le=3600)] = 30.0  # MP-43
    stale_while_revalidate_s: Annotated[float, Field(ge=0, le=60)] = 0.5  # MP-43
    cached_manifests: Annotated[int, Field(ge=1)] = 1024
    cached_bytes: Annotated[int, Field(ge=1 << 20)] = 128 << 20

    @field_validator("pathways")
    @classmethod
    def _unique(cls, pathways: list[PathwaySettings]) -> list[PathwaySettings]:
        ids = [pathway.id for pathway in pathways]
        if len(set(ids)) != len(ids):
            raise ValueError("two pathways share an id")
        return pathways
