"""Settings of the origin, section `[origin]`."""

from fractions import Fraction
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from origin.delivery.access import Access
from origin.delivery.caching import Class, Rule
from origin.systems import AudioPreset, Name, UrlName, VideoPreset

MIB = 1 << 20
SECRET_LENGTH = 16
LEAST_PERIOD_S, LEAST_TEST_PERIOD_S = 300, 4
Port = Annotated[int, Field(ge=0, le=65535)]


class ForceError(BaseModel):
    """When a channel's manifests answer an error, so that CDNs fail over (O15, AB7)."""

    model_config = ConfigDict(extra="forbid")
    on: Annotated[
        list[Literal["stale", "incomplete", "missing_key", "slate"]],
        Field(description="conditions that count, the most telling first"),
    ] = []
    status: Literal[404, 503] = 503
    stale_s: Annotated[float, Field(gt=0, description="media this old is stale")] = 15.0


class IngestTls(BaseModel):
    """PEM files of the ingest port's TLS (I1)."""

    model_config = ConfigDict(extra="forbid")
    certificate: str
    key: str
    client_ca: str = Field("", description="encoders must show a certificate of this authority")


class LiveProtection(BaseModel):
    """How the media of a live channel is protected (specs/protection.md, sections 4 and 12)."""

    model_config = ConfigDict(extra="forbid")
    scheme: Literal["cbcs", "cenc"] = "cbcs"
    both: bool = Field(
        False, description="the other scheme beside it, in a folder of that name (PR-170)"
    )
    content_id: str = Field("", description="of its keys; default: the channel's name")
    systems: list[Name] | None = Field(None, description="DRM systems; default: the origin's")
    shared: bool = Field(False, description="one key for all tracks; else by preset (PR-40)")
    video: VideoPreset = Field("V3", description="pictures with a key each; speke has its own")
    audio: AudioPreset = Field("A1", description="likewise of sound (PR-104)")
    source: str = Field("file", description="where keys come from")
    rotation_s: Annotated[int, Field(ge=0, le=31_536_000)] = Field(
        0, description="a new key so often (PR-50); 0: never"
    )
    short_periods: bool = Field(False, description="allow periods under 300 s, for tests")
    mode: Literal["init", "inband"] = Field(
        "init",
        description="how keys change: with a header each, or in the fragments (PR-51, PR-52)",
    )
    overlap_s: Annotated[int, Field(ge=0)] = Field(
        60, description="keys are made and told of so long before their period (PR-53)"
    )
    clear_lead_s: Annotated[int, Field(ge=0, le=3600)] = Field(
        0, description="its first media stays clear for so long (PR-33)"
    )
    session_keys: bool = Field(True, description="SESSION-KEY tags, without rotation (PR-63)")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if 0 < self.rotation_s < (LEAST_TEST_PERIOD_S if self.short_periods else LEAST_PERIOD_S):
            raise ValueError(f"rotation_s is 0 or at least {LEAST_PERIOD_S} (PR-50)")
        if self.scheme == "cenc" and "fairplay" in (self.systems or []):
            raise ValueError("FairPlay plays cbcs only (PR-170)")
        if self.both and self.source.startswith("cpix"):
            raise ValueError("a CPIX document has keys of one scheme (PR-92)")
        presets = {self.video, self.audio}
        if "SHARED" in presets or presets == {"UNENCRYPTED"}:
            raise ValueError("video and audio: say shared, or leave one of them protected")
        if (self.source == "speke" or self.shared) and presets != {"V3", "A1"}:
            raise ValueError("video and audio are protection.speke's, and not with shared")
        return self


class Channel(BaseModel):
    """One live channel that is configured rather than learned."""

    model_config = ConfigDict(extra="forbid")
    segment_s: Annotated[Fraction, Field(gt=0, le=30)] | None = None
    force_error: ForceError = ForceError()
    ingest_secrets: Annotated[
        list[SecretStr], Field(max_length=2, description="of this channel's encoders")
    ] = []
    access: Annotated[
        Access | None, Field(description="instead of the origin's, for this channel's URLs (O14)")
    ] = None
    preferred: str = Field("", description="source whose segments win while it keeps pace (AB8)")
    part_s: Annotated[Fraction, Field(ge=Fraction(1, 10), le=5)] | None = Field(
        None, description="part target of LL-HLS; learned when not given"
    )
    protection: Annotated[LiveProtection | None, Field(description="none: clear")] = None


class Replica(BaseModel):
    """This origin as one of several machines with the same channels (origin.replica)."""

    model_config = ConfigDict(extra="forbid")
    enabled: bool = False
    store_url: SecretStr = Field(SecretStr(""), description="Redis that all machines share")
    url: str = Field("", description="where the others reach this machine's peer port")
    host: str = "127.0.0.1"
    port: Port = 8006
    secret: SecretStr = Field(SecretStr(""), description="that all machines share")
    lease_s: Annotated[float, Field(ge=0.5, le=60)] = Field(
        5.0, description="a machine silent for so long no longer writes its channels"
    )
    entries: Annotated[int, Field(ge=100)] = Field(10_000, description="kept in the stream")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and not (self.store_url.get_secret_value() and self.url):
            raise ValueError("replica needs store_url and url")
        if self.enabled and len(self.secret.get_secret_value()) < SECRET_LENGTH:
            raise ValueError(f"replica.secret needs {SECRET_LENGTH} characters or more")
        return self


class Speke(BaseModel):
    """A SPEKE v2 key server (specs/protection.md PR-100..PR-104). One way to sign in, or none:
    access_key (Signature Version 4), user (Basic), token (bearer), client_certificate (TLS).
    """

    model_config = ConfigDict(extra="forbid")
    url: str = ""
    version: Literal["2.0", "2.1"] = Field("2.0", description="2.1: CPIX 2.4, periods with times")
    video: VideoPreset = "V3"
    audio: AudioPreset = "A1"
    systems: list[Name] = Field([], description="asked about; default: protection.systems")
    aes128: bool = Field(False, description="ask for a key of films' MPEG-TS too (PR-145)")
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    session_token: SecretStr = SecretStr("")
    region: str = "us-east-1"
    service: str = "execute-api"
    user: str = ""
    password: SecretStr = SecretStr("")
    token: SecretStr = SecretStr("")
    client_certificate: str = ""
    client_key: str = ""
    ca_file: str = Field("", description="authorities; default: the system's")
    recipient_certificate: str = Field("", description="PEM, RSA 2048; keys then come encrypted")
    recipient_key: str = ""
    connect_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    answer_s: Annotated[float, Field(gt=0, le=120)] = 10.0


class Cpix(BaseModel):
    """Documents with keys: for whom they are encrypted, and who signs them (PR-93, PR-97)."""

    model_config = ConfigDict(extra="forbid")
    recipient_key: str = Field("", description="PEM file of our private key")
    signers: list[str] = Field([], description="PEM files of certificates that may sign")
    signed: bool = Field(False, description="refuse documents without a signature of theirs")


class Inputs(BaseModel):
    """Films that come protected (PR-150)."""

    model_config = ConfigDict(extra="forbid")
    documents: list[str] = Field([], description="CPIX files with their keys")
    leftover: bool = Field(
        False, description="whole blocks left over at a range's end are encrypted too (PR-17)"
    )


class Protection(BaseModel):
    """Content keys and what players are told of them (specs/protection.md)."""

    model_config = ConfigDict(extra="forbid")
    key_file: str = Field("", description="sealed keys; default: origin/keys.json in data.dir")
    master_key: SecretStr = Field(
        SecretStr(""), description="64 hexadecimal digits; older ones may follow, to open with"
    )
    master_key_file: str = Field(
        "", description="the same in a file of mode 0600; default: origin/master.key in data.dir"
    )
    systems: list[Name] = Field(["clearkey"], description="DRM systems that are offered")
    urls: dict[UrlName, str] = Field(
        {},
        description="licence servers by system; identity: prefix of key URLs; fairplay: skd host",
    )
    speke: Speke = Field(default_factory=lambda: Speke.model_validate({}))
    cpix: Cpix = Field(default_factory=lambda: Cpix.model_validate({}))
    inputs: Inputs = Field(default_factory=lambda: Inputs.model_validate({}))


class Settings(BaseModel):
    """Everything the origin can be told; durations in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid")

    host: str = "127.0.0.1"
    delivery_port: Port = 8001
    ingest_port: Port = 8002
    admin_port: Port = 8101
    ingest_secrets: Annotated[
        list[SecretStr], Field(max_length=2, description="of encoders whose channel has none")
    ] = []
    ingest_tls: IngestTls | None = None
    auto_channels: bool = Field(True, description="a channel is created by its first header")
    channels: dict[str, Channel] = Field(default_factory=dict)
    window_s: Annotated[int, Field(ge=6, le=86400)] = Field(60, description="listed live media")
    retention_s: Annotated[int, Field(ge=30)] = Field(600, description="live media on disk")
    archive_s: Annotated[int, Field(ge=0)] = Field(
        0, description="live media in the object store, written behind the disk; 0 for none"
    )
    archive_block_bytes: Annotated[int, Field(ge=65536)] = Field(
        8 * MIB, description="size of an archive object, and of one upload in memory"
    )
    archive_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * MIB, description="old media in memory that came from the archive"
    )
    copies_at_once: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="objects that private copies of recordings are made of at a time"
    )
    copy_bytes_s: Annotated[int, Field(ge=MIB)] = Field(
        256 * MIB, description="most that private copies take of the object store a second"
    )
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = Field(
        256 * MIB, description="free disk below which old media leaves before its time"
    )
    range_s: Annotated[int, Field(ge=60, le=7 * 86400)] = Field(
        86400, description="longest time range or recording"
    )
    hot_bytes: Annotated[int, Field(ge=MIB)] = Field(256 * MIB, description="media in memory")
    follow_bytes: Annotated[int, Field(ge=MIB)] = Field(
        64 * MIB, description="media in memory of channels that another worker writes"
    )
    vod_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * MIB, description="media of films in memory, made a moment ago"
    )
    vod_titles: Annotated[int, Field(ge=1)] = Field(128, description="films held open")
    chunk_bytes: Annotated[int, Field(ge=65536)] = Field(64 * MIB, description="largest CMAF chunk")
    segment_bytes: Annotated[int, Field(ge=65536)] = Field(128 * MIB, description="largest segment")
    spare_bytes: Annotated[int, Field(ge=MIB)] = Field(
        128 * MIB, description="copies kept for the case that a source dies (AB3)"
    )
    track_limit: Annotated[int, Field(ge=1)] = Field(32, description="tracks of one channel")
    channel_limit: Annotated[int, Field(ge=1)] = Field(1000, description="learned channels")
    epoch_slack_s: Annotated[int, Field(ge=60)] = Field(
        12 * 3600, description="media time this near to the wall clock is epoch time (AB1)"
    )
    low_latency: bool = Field(True, description="parts, where chunks are finer than segments")
    hold_s: Annotated[float, Field(ge=0, lt=14)] = Field(
        13.0, description="longest silence before a held answer, below what CDNs wait"
    )
    access: Access = Field(
        default_factory=Access, description="what requests to the delivery port must bring (O14)"
    )
    per_address: Annotated[int, Field(ge=0)] = Field(
        256, description="connections per IPv4 address or IPv6 /64 (HT-127); 0 means no cap"
    )
    trusted: list[IPv4Network | IPv6Network] = Field(
        default_factory=list, description="CDN ranges without that cap"
    )
    proxy_from: list[IPv4Network | IPv6Network] = Field(
        default_factory=list, description="fronts that send a PROXY header (HT-152)"
    )
    idle_s: Annotated[float, Field(ge=125)] = Field(
        130.0, description="keep-alive of CDNs' connections (O9)"
    )
    duress_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.8, description="of parked requests or queued bytes, from which CMSD tells it (O27)"
    )
    name: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="of this origin in CMSD; two origins' headers then differ (O25)",
    )
    caching: dict[Class, Rule] = Field(default_factory=dict, description="lifetimes by class (O13)")
    directives_in_key: bool = Field(True, description="the CDN's cache key has _HLS_ (O21, O23)")
    latency_s: Annotated[Fraction, Field(gt=0, le=30)] = Field(
        Fraction(2), description="target latency of low-latency DASH"
    )
    early_status: Literal[404, 425] = Field(404, description="what a request too early gets (O5)")
    power_safe: bool = Field(False, description="fsync each segment before it is acknowledged")
    replica: Replica = Field(default_factory=lambda: Replica.model_validate({}))
    protection: Protection = Field(default_factory=lambda: Protection.model_validate({}))
    cue_tags: bool = Field(False, description="EXT-X-CUE-OUT and -IN beside date ranges (TM9)")
    time_url: str = Field("/time", description="clock named in manifests (UTCTiming)")

    @property
    def keep_s(self) -> int:
        """How long live media can be had, from the disk or from the archive."""
        return max(self.retention_s, self.archive_s)

    @model_validator(mode="after")
    def _keeps_what_it_lists(self) -> Self:
        if self.keep_s < 2 * self.window_s:
            raise ValueError("retention_s must be at least twice window_s (HLS-7)")
        return self
