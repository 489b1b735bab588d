"""What sign-ins do on their own: the keys of trusted issuers stay fresh."""

import time
from collections.abc import Sequence

from control_api.calls import Services
from control_api.identity.trust import Trust
from runtime.fetch import Fetcher
from runtime.service import Background, Part


def work(services: Services) -> Sequence[Part]:
    settings = services.settings.identity
    if not settings.issuers:
        return []
    fetcher = Fetcher([each.jwks_url for each in settings.issuers], name="jwks-client")
    trust = Trust(settings, fetcher, time.time)
    services.issuer.others = trust
    return [fetcher, Background("trusted-keys", trust.forever)]
