"""Section `control.webhooks`: messages to others and from others."""

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator

from control_api.webhooks.signature import secret_bytes
from runtime.settings import Section


class Source(Section):
    """Somebody who sends us signed messages: `POST /v1/hooks/{source}`."""

    secrets: list[SecretStr] = Field(
        min_length=1, max_length=2, description="whsec_...; two while one replaces the other"
    )

    @field_validator("secrets")
    @classmethod
    def _are_secrets(cls, given: list[SecretStr]) -> list[SecretStr]:
        for each in given:
            secret_bytes(each.get_secret_value())
        return given

    @property
    def keys(self) -> list[bytes]:
        return [secret_bytes(each.get_secret_value()) for each in self.secrets]


class Webhooks(Section):
    """Section `control.webhooks`."""

    allow_http: bool = Field(default=False, description="endpoints without TLS (CTL-154)")
    private_networks: list[IPvAnyNetwork] = Field(
        default=[], description="where endpoints may be beside public addresses"
    )
    timeout_s: float = Field(default=5.0, gt=0, le=30, description="of one attempt (CTL-151)")
    probe_s: int = Field(default=300, gt=0, description="between tries of a paused one (CTL-152)")
    queue_s: int = Field(default=86_400, gt=0, description="how long a paused one's events wait")
    queue_max: int = Field(default=10_000, gt=0, description="how many of them")
    kept_s: int = Field(default=259_200, gt=0, description="how long deliveries can be looked up")
    overlap_s: int = Field(default=86_400, gt=0, description="both secrets sign (CTL-150)")
    max_endpoints: int = Field(default=50, gt=0, description="of one account")
    sources: dict[str, Source] = Field(default={}, description="of signed messages (CTL-155)")
    skew_s: int = Field(default=300, gt=0, description="age of a signed message (CTL-155)")
