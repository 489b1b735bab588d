"""Who may push: secrets by channel, and TLS (DASH-IF Live Media Ingest v1.2, section 5.4; I1, I5).

A channel's secrets come as `Authorization: Basic` (any user, the secret as password) or `Bearer`.
Two may be valid at a time, so that they can be changed without a moment that refuses an encoder.
Without any the port is open: it listens on loopback unless told otherwise.
"""

import hmac
import ssl
from base64 import b64decode
from collections.abc import Sequence

from origin.errors import Forbidden
from origin.settings import IngestTls, Settings


def admit(settings: Settings, channel: str, authorization: str) -> None:
    """Forbidden (403) unless the request brings a secret of this channel."""
    configured = settings.channels.get(channel)
    own = configured.ingest_secrets if configured is not None else []
    secrets = [s.get_secret_value() for s in own or settings.ingest_secrets]
    if secrets and not _matches(_presented(authorization), secrets):
        raise Forbidden("the secret is none of this channel's")


def context(settings: IngestTls) -> ssl.SSLContext:
    """TLS 1.2 or newer; with a client CA every encoder must show a certificate of it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(settings.certificate, settings.key)
    if settings.client_ca:
        made.load_verify_locations(settings.client_ca)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def _presented(authorization: str) -> bytes:
    """The secret of an Authorization header; empty when there is none to read (RFC 9110, 11)."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode()
    if scheme.lower() != "basic":
        return b""
    try:
        return b64decode(value.strip(), validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _matches(presented: bytes, secrets: Sequence[str]) -> bool:
    """All are compared, each in constant time."""
    return any([hmac.compare_digest(presented, secret.encode()) for secret in secrets])
