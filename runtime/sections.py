"""The settings sections that runtime itself owns; every service shares them."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from runtime.settings import Section


class Data(Section):
    """Where the embedded defaults keep their files."""

    dir: Path = Path(".headwater")


class Log(Section):
    """JSON lines on stdout."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Telemetry(Section):
    """Spans of requests, told to an OpenTelemetry collector; needs the `telemetry` extra."""

    otlp_url: str = Field(
        "",
        pattern=r"^(https?://[^?#]+)?$",
        description="where OTLP is posted, such as http://localhost:4318/v1/traces; empty: nowhere",
    )
    headers: dict[str, SecretStr] = Field({}, description="sent along, such as a key")
    ratio: float = Field(
        1.0, ge=0, le=1, description="of the traces that begin here; others' callers decide"
    )
    timeout_s: float = Field(5.0, gt=0, le=60)
    delay_ms: int = Field(1_000, ge=1, le=60_000, description="the longest that a span waits")


class Store(Section):
    """Shared store (CMP-3): empty url = in-process for one process, else a child server on a Unix
    socket. redis:// or rediss:// names a server, or any server of a cluster;
    redis+sentinel://host:port,host:port/service the primary that Sentinels name.
    """

    url: SecretStr = SecretStr("")
    timeout_ms: int = Field(default=100, ge=1, le=60_000)  # CTL-188: every call has one
    max_connections: int = Field(default=64, ge=2, le=4096)


class Sql(Section):
    """Database: empty url = SQLite under data.dir, else postgresql://..."""

    url: SecretStr = SecretStr("")
    timeout_ms: int = Field(default=1_000, ge=1, le=600_000)  # CTL-188
    pool_size: int = Field(default=8, ge=1, le=256)

    @field_validator("url")
    @classmethod
    def _is_ours(cls, given: SecretStr) -> SecretStr:
        if given.get_secret_value():
            from runtime.sql import parse  # not for who has no database

            parse(given.get_secret_value())
        return given


class Objects(Section):
    """Object store: empty url = a folder under data.dir, else an S3 endpoint (http://host:port) and
    its bucket.
    """

    url: str = ""
    bucket: str = "headwater"
    region: str = "us-east-1"
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    checksums: Literal["when_required", "when_supported"] = "when_required"  # CMP-21
    connect_timeout_s: float = Field(default=2.0, gt=0, le=60)
    read_timeout_s: float = Field(default=10.0, gt=0, le=600)


SECTIONS: dict[str, type[BaseModel]] = {
    "data": Data,
    "log": Log,
    "telemetry": Telemetry,
    "store": Store,
    "sql": Sql,
    "objects": Objects,
}
