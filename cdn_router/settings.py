"""Settings of the CDN router, section `[router]`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from runtime.client_address import networks
from runtime.settings import Section

from .pathways import MAX_PATHWAYS, PATHWAY_ID

MAX_IDS_CHARS = 2_048  # of all pathways: every poll carries them

BaseUrl = Annotated[str, Field(pattern=r"^https?://[^/?#\s\"<>]+(/[^?#\s\"<>]*[^/?#\s\"<>])?$")]


class PathwaySettings(Section):
    """A CDN; without a `probe_url` it always counts as healthy. `hosts` are further host names that
    players may report for it (CM-40), that of `base_url` is known.
    """

    id: Annotated[str, Field(pattern=f"^{PATHWAY_ID.pattern}$")]
    base_url: BaseUrl
    probe_url: str = ""
    priority: int = 0
    hosts: Annotated[list[str], Field(max_length=64)] = Field(default_factory=list)
    price_per_tb: Annotated[float, Field(ge=0)] = 0.0
    weight: Annotated[float, Field(ge=0)] = 1.0
    capacity_mbps: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    commit_mbps: Annotated[float, Field(ge=0)] = 0.0


class Settings(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8004
    public_url: BaseUrl = "http://localhost:8004"  # where players poll
    console_origin: str = "http://localhost:8000"  # the page that may read /v1/ (CORS)
    pathways: Annotated[list[PathwaySettings], Field(min_length=1, max_length=MAX_PATHWAYS)] = (
        Field(
            default_factory=lambda: [
                PathwaySettings(id="CDN-A", base_url="http://localhost:8011", priority=0),
                PathwaySettings(id="CDN-B", base_url="http://localhost:8012", priority=1),
            ]
        )
    )
    ttl_s: Annotated[int, Field(ge=1, le=3600)] = 20  # ST-51
    risk_ttl_s: Annotated[int, Field(ge=1, le=3600)] = 10  # while something is wrong (ST-51)
    policy: str = "static-priority"  # until a plan says otherwise
    snapshot_max_ms: Annotated[int, Field(ge=1_000, le=300_000)] = 10_000  # RT-15
    admin_token: SecretStr = SecretStr("")  # for changes; empty: from this machine only
    feed_token: SecretStr = SecretStr("")  # for logs and events; empty: from this machine only
    feed_per_peer: Annotated[int, Field(ge=1)] = 2_000  # lines a second, ten times at once
    trusted_proxies: Annotated[list[str], Field(max_length=64)] = Field(
        default_factory=list  # addresses and networks whose X-Forwarded-For counts
    )
    plan_file: Path | None = None  # keeps the operator's plan over restarts, shares it with workers
    state_key: SecretStr = SecretStr("")  # one for all nodes; empty: a fresh one per process
    state_ttl_s: Annotated[int, Field(ge=60)] = 86_400
    probe_interval_s: Annotated[float, Field(gt=0, le=300)] = 1.0
    probe_timeout_s: Annotated[float, Field(gt=0, le=30)] = 2.0
    slow_ms: Annotated[float, Field(gt=0)] = 700.0
    failures: Annotated[int, Field(ge=1)] = 3
    recovery: Annotated[int, Field(ge=1)] = 3
    out_s: Annotated[float, Field(ge=0)] = 10.0
    max_sessions: Annotated[int, Field(ge=1)] = 20_000
    cmcd_per_peer: Annotated[int, Field(ge=1)] = 2_000  # records a second, ten times at once
    cmcd_per_session: Annotated[int, Field(ge=1)] = 2  # likewise, thirty times at once
    geoip: Annotated[list[str], Field(max_length=8)] = Field(default_factory=list)  # mmdb files
    geoip_required: bool = True  # else places are not known until there are such files
    archive: bool = True  # events as Parquet in the object store
    archive_days: Annotated[int, Field(ge=0, le=3650)] = 0  # that hours are kept; 0: for good
    record: bool = False  # into the archive: all decisions and what they rest on, to be replayed
    archive_max_bytes: Annotated[int, Field(ge=1 << 20)] = 1 << 30  # that wait to be stored

    @field_validator("trusted_proxies")
    @classmethod
    def _listed(cls, proxies: list[str]) -> list[str]:
        networks(proxies)
        return proxies

    @field_validator("pathways")
    @classmethod
    def _unique(cls, pathways: list[PathwaySettings]) -> list[PathwaySettings]:
        ids = [pathway.id for pathway in pathways]
        if len(set(ids)) != len(ids):
            raise ValueError("two pathways share an id")
        if sum(map(len, ids)) > MAX_IDS_CHARS:
            raise ValueError(f"ids of pathways are at most {MAX_IDS_CHARS} characters together")
        return pathways
