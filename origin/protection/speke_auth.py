"""How a key server is told who asks: Signature Version 4, Basic, bearer, certificate (PR-100)."""

import base64
import logging
import ssl
from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from origin.protection.errors import ProtectionError
from origin.settings import Speke

logging.getLogger("botocore.auth").setLevel(logging.WARNING)  # its debug lines quote session tokens


def authorization(settings: Speke, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are added to a request with this body and these headers."""
    secret = {
        name: value.get_secret_value()
        for name, value in (
            ("password", settings.password), ("token", settings.token),
            ("secret_key", settings.secret_key), ("session_token", settings.session_token),
        )
    }  # fmt: skip
    if settings.access_key:
        request = AWSRequest("POST", settings.url, headers=dict(headers), data=body)
        credentials = Credentials(
            settings.access_key, secret["secret_key"], secret["session_token"] or None
        )
        SigV4Auth(credentials, settings.service, settings.region).add_auth(request)
        return {name: value for name, value in request.headers.items() if name not in headers}
    if settings.user:
        pair = f"{settings.user}:{secret['password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {"Authorization": f"Bearer {secret['token']}"} if secret["token"] else {}


def tls(settings: Speke) -> ssl.SSLContext:
    """TLS 1.2 or later, the server's name checked, with our certificate if there is one."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.client_certificate:
            context.load_cert_chain(settings.client_certificate, settings.client_key or None)
    except (OSError, ssl.SSLError) as error:
        raise ProtectionError("unreachable", f"certificates: {type(error).__name__}") from None
    return context
