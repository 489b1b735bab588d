"""Settings of the control API: section `control` of headwater.toml, `HEADWATER_CONTROL__*`."""

from ipaddress import ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from control_api.identity.settings import Identity
from control_api.kafka_settings import Kafka
from control_api.recordings.settings import Recordings
from control_api.webhooks.settings import Webhooks
from runtime.settings import Section

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Timeouts(Section):
    """How long each dependency may take before the degraded answer is given (CTL-188)."""

    request_ms: int = Field(default=5_000, gt=0, description="any request")
    start_ms: int = Field(default=1_000, gt=0, description="whole playback start")
    access_ms: int = Field(
        default=100, gt=0, description="a look at rights of which an older copy would do"
    )
    search_ms: int = Field(default=150, gt=0, description="one search")
    suggest_ms: int = Field(default=80, gt=0, description="suggestions while typing")
    router_ms: int = Field(default=30, gt=0, description="one router decision")
    breaker_s: float = Field(
        default=30, gt=0, description="how long an engine that keeps failing is left alone"
    )


class Pathway(Section):
    """One CDN of the static order that stands in while the router is away."""

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    base_url: str = Field(pattern=r"^https?://[^/?#]+$")
    patterns: bool = Field(
        default=False,
        description="whether it judges patterns in tokens (docs/edges.md): then it gets viewers of"
        " a programme's past, and where all do live tokens are bound too",
    )
    countries: bool = Field(
        default=False,
        description="whether it judges a token's country; where all pathways do, and the proxy with"
        " them, tokens of restricted titles name the one where they were given (CTL-112)",
    )


class NativeSigner(Section):
    """How one CDN's own tokens are made (edge section 7), for a pathway that does not read CATs."""

    kind: Literal["akamai", "cloudfront"]
    key: SecretStr = Field(description="Akamai: hex; CloudFront: PEM")
    key_pair_id: str = Field(default="", description="CloudFront's name of the key")
    digest: str = Field(default="", description="default SHA-256")


class LicenceServer(Section):
    """A licence server behind the proxy (PR-130, PR-132); plain HTTP on loopback only."""

    url: str
    certificate_url: str = Field(default="", description="answers GET, kept for an hour")
    headers: dict[str, SecretStr] = Field(default={}, description="added to each request")
    forward: list[str] = Field(
        default=[], description="request headers that pass beside Content-Type and SOAPAction"
    )

    @field_validator("url", "certificate_url")
    @classmethod
    def _secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and not (
            (parts.scheme == "https" and parts.hostname)
            or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        ):
            raise ValueError("an https URL is wanted")
        return url


class Licences(Section):
    """Licence requests (PR-130..PR-134)."""

    servers: dict[Literal["widevine", "playready", "fairplay"], LicenceServer] = Field(
        default={}, description="by DRM system; one that is not named is not served"
    )
    session_per_min: int = Field(default=20, gt=0)
    session_burst: int = Field(default=12, gt=0, description="3 x key roles")
    device_per_min: int = Field(default=60, gt=0)
    all_per_s: int = Field(default=2_000, gt=0)
    slow_ms: int = Field(
        default=2_000, ge=0, description="a wave beyond all_per_s waits so long before it is told"
    )
    connect_ms: int = Field(default=2_000, gt=0)
    answer_ms: int = Field(default=8_000, gt=0)


class Limits(Section):
    """How often one may ask (CTL-164)."""

    login_per_min: int = Field(
        default=5, gt=0, description="failed sign-ins of one user from one address"
    )
    login_address_per_min: int = Field(default=60, gt=0, description="sign-ins from one address")
    user_code_per_min: int = Field(
        default=5, gt=0, description="devices' codes that one account types, right or wrong"
    )
    search_per_s: int = Field(default=10, gt=0)
    guide_per_s: int = Field(
        default=50, gt=0, description="looks at the guide, genres and rails from one address"
    )
    guide_file_per_min: int = Field(
        default=20, gt=0, description="XMLTV files of the guide from one address"
    )
    start_per_s: int = Field(default=5, gt=0, description="playback starts of one account")
    heartbeat_per_min: int = Field(default=12, gt=0, description="of one session")
    key_per_s: int = Field(default=100, gt=0, description="whatever an API key asks for")
    account_per_s: int = Field(default=100, gt=0, description="other changes by one account or key")


class Parental(Section):
    """Limits of profiles and their PINs (CTL-77)."""

    kids_age: int = Field(
        default=12, ge=0, le=18, description="of children's profiles without a rating of their own"
    )
    pin_tries: int = Field(default=5, gt=0, description="before a PIN is locked")
    pin_locked_s: int = Field(default=900, gt=0, description="in which they are counted")


class Settings(Section):
    """Section `control`."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = "http://localhost:8000"
    proxy_public_url: str = "http://localhost:8003"
    router_url: str = Field(
        default="http://127.0.0.1:8004", description="where decisions are asked for"
    )
    pathways: list[Pathway] = Field(
        default_factory=lambda: [
            Pathway(id="CDN-A", base_url="http://localhost:8011"),
            Pathway(id="CDN-B", base_url="http://localhost:8012"),
        ],
        min_length=1,
        description="static order while the router is away",
    )
    native_signers: dict[str, NativeSigner] = Field(
        default={}, description="by pathway id; one that is not named gets the CAT"
    )
    trusted_proxies: list[str] = Field(
        default=[], description="addresses and networks whose X-Forwarded-For counts (CTL-10)"
    )
    country_header: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        description="request header in which listed proxies name the viewer's country (CTL-10)",
    )
    limits: Limits = Field(default_factory=Limits)
    parental: Parental = Field(default_factory=Parental)
    cors_origins: list[str] = Field(default_factory=lambda: ["*"])
    default_country: str = Field(
        default="ZZ", pattern=r"^[A-Z]{2}$", description="ZZ: unknown (CTL-10)"
    )

    audience: str = "headwater"
    access_token_s: int = Field(default=900, gt=0, description="built-in issuer (CTL-161)")
    jwt_leeway_s: int = Field(default=30, ge=0)
    content_token_s: int = Field(
        default=600, gt=0, description="life of a playback token (CTL-112)"
    )
    content_token_issuer: str = "headwater"
    segments_ms: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default={},
        description="length of a channel's segments, by slug: tokens of programmes then open theirs"
        " by number and no others",
    )
    live_back_s: int | None = Field(
        default=None,
        ge=0,
        description="how far back live tokens open a channel, where every pathway judges patterns;"
        " None: twice what live manifests list (origin.window_s)",
    )

    @property
    def live_bound_s(self) -> int | None:
        """`live_back_s`, where every pathway can judge it."""
        fit = self.pathways and all(each.patterns for each in self.pathways)
        return self.live_back_s if fit else None

    @property
    def names_country(self) -> bool:
        """Whether every pathway judges it."""
        return all(each.countries for each in self.pathways)

    heartbeat_s: int = Field(default=30, gt=0)
    session_ttl_s: int = Field(
        default=90, gt=0, description="a session unseen so long is over (CTL-102)"
    )
    access_cache_s: int = Field(
        default=60, ge=0, le=3_600, description="how long facts of CheckAccess are kept (CTL-83)"
    )
    flush_s: float = Field(
        default=15, gt=0, description="how long positions may wait to be written (CTL-107)"
    )
    terminated_kept_s: int = Field(
        default=86_400, gt=0, description="how long 410 is answered (CTL-105)"
    )
    termination_code_s: int = Field(
        default=300, gt=0, description="life of a 409's codes (CTL-103)"
    )
    max_body_bytes: int = Field(default=65_536, gt=0)
    timeouts: Timeouts = Field(default_factory=Timeouts)
    licences: Licences = Field(default_factory=Licences)
    identity: Identity = Field(default_factory=Identity)
    recordings: Recordings = Field(default_factory=Recordings)
    webhooks: Webhooks = Field(default_factory=Webhooks)
    kafka: Kafka = Field(default_factory=Kafka)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, listed: list[str]) -> list[str]:
        for each in listed:
            ip_network(each)
        return listed

    demo_password: SecretStr = SecretStr("headwater-demo")
