"""Settings of recordings: `[control.recordings]`."""

from typing import Annotated

from pydantic import Field, SecretStr

from runtime.settings import Section


class Recordings(Section):
    """Network recordings (CTL-120..130)."""

    ingest_url: str = Field(
        default="http://127.0.0.1:8002", description="the origin's, where ranges are held"
    )
    ingest_secret: SecretStr = Field(default=SecretStr(""), description="of channels not named")
    ingest_secrets: dict[str, SecretStr] = Field(default={}, description="by channel")
    delivery_url: str = Field(
        default="http://127.0.0.1:8001", description="the origin's, where ranges are looked at"
    )
    delivery_headers: dict[str, SecretStr] = Field(
        default={}, description="sent with each look, where the origin asks who comes"
    )
    pad_before_s: int = Field(default=120, ge=0, le=1_800, description="(CTL-123)")
    pad_after_s: int = Field(default=300, ge=0, le=1_800, description="(CTL-123)")
    retention_s: int = Field(default=90 * 86_400, gt=0, description="(CTL-130)")
    notice_s: int = Field(default=7 * 86_400, ge=0, description="before the end (CTL-130)")
    grace_s: int = Field(default=86_400, ge=0, description="deleted ones may return (CTL-130)")
    warn_share: float = Field(
        default=0.9, gt=0, le=1, description="of a quota in seconds, told of when it is reached"
    )
    fifo: bool = Field(default=False, description="the oldest make room (CTL-122)")
    bytes_per_s: int = Field(
        default=1_000_000,
        gt=0,
        description="what a second is taken to need until the origin tells, of quotas in bytes",
    )
    parallel: int = Field(default=0, ge=0, description="at once by account, 0 any (CTL-121)")
    ahead_s: int = Field(default=14 * 86_400, gt=0, description="of series rules (CTL-129)")
    private_territories: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = Field(
        default=[],
        description="accounts of these record copies of their own, of any channel (CTL-127)",
    )
    rules: int = Field(default=200, gt=0, description="by account")
    look_again_s: int = Field(default=60, gt=0, description="after misses (CTL-126)")
    looks: int = Field(default=10, gt=0, description="then a recording stays partial (CTL-126)")
    missing: float = Field(
        default=0.01, ge=0, lt=1, description="share that completed ones may lack (CTL-126)"
    )
