"""Where licences are to be had, told by the origin's manifests (specs/protection.md PR-61).

Every origin process needs this, and nothing else of the control API.
"""

from collections.abc import Sequence

import origin.settings


def public_urls(
    settings: origin.settings.Settings, public_url: str, proxied: Sequence[str]
) -> origin.settings.Settings:
    """The origin's settings with the licence URLs that this control API answers, where the operator
    has named none: ClearKey's, and those of `proxied` systems but FairPlay, which has no URL.
    """
    base = f"{public_url}/v1/licence"
    ours = {"clearkey": f"{base}/clearkey", "identity": f"{base}/key"}
    ours |= {name: f"{base}/{name}" for name in proxied if name != "fairplay"}
    protection = settings.protection.model_copy(
        update={"urls": {**ours, **settings.protection.urls}}
    )
    return settings.model_copy(update={"protection": protection})
