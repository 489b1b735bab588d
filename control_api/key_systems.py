"""Where licences of each DRM system are asked for, as playback start tells a player (CTL-101)."""

from control_api import types
from control_api.content_tokens import HEADER
from control_api.settings import Settings

KEY_SYSTEMS: dict[types.DrmName, str] = {  # Encrypted Media Extensions' names
    "clearkey": "org.w3.clearkey",
    "widevine": "com.widevine.alpha",
    "playready": "com.microsoft.playready",
    "fairplay": "com.apple.fps",
}


def offered(settings: Settings, token: str, *, clearkey: bool) -> list[types.Drm]:
    """The systems whose licences are given out here; content in the clear asks for none."""
    servers = settings.licences.servers
    base = f"{settings.public_url}/v1/licence"
    names: list[types.DrmName] = ["clearkey"] if clearkey else []
    names += servers
    return [
        types.Drm(
            system=name,
            key_system=KEY_SYSTEMS[name],
            licence_url=f"{base}/{name}",
            certificate_url=f"{base}/{name}/certificate"
            if name in servers and servers[name].certificate_url
            else None,
            headers={HEADER: token},
        )
        for name in names
    ]
