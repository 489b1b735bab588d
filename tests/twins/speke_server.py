"""A SPEKE v2 key server with the real wire format, as a process of its own (PR-100..PR-103).

    python tests/twins/speke_server.py PORT

It shares no code with the client. The path says how it behaves: /good, /replaces (own KIDs), /mac/N
(place of the MAC key), /basic, /bearer, /sigv4, /lacks, /renames, /text, /fails/N (N times 503),
/busy, /broken, /quiet (headers missing). GET /asked tells how often each was asked.
"""

import base64
import hashlib
import hmac
import os
import sys
import uuid
from collections import Counter

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree

C, P = "{urn:dashif:org:cpix}", "{urn:ietf:params:xml:ns:keyprov:pskc}"
D, E = "{http://www.w3.org/2000/09/xmldsig#}", "{http://www.w3.org/2001/04/xmlenc#}"
OAEP = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
SCHEMES = ("cenc", "cens", "cbc1", "cbcs")
CPIX = {"2.0": "2.3", "2.1": "2.4"}  # by X-Speke-Version
AWS = Credentials("AKIDEXAMPLE", "speke-secret-key")
asked: Counter[str] = Counter()


class Refused(Exception):
    pass


def key_of(kid: str) -> bytes:
    """The key of a KID: the same for ever, and no secret here."""
    return hashlib.sha256(b"speke twin " + kid.encode()).digest()[:16]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sealed(parent: etree._Element, data: bytes, public) -> None:
    method = etree.SubElement(parent, E + "EncryptionMethod")
    method.set("Algorithm", OAEP)
    sha1 = hashes.SHA1()
    cipher = public.encrypt(data, padding.OAEP(padding.MGF1(sha1), sha1, None))
    holder = etree.SubElement(parent, E + "CipherData")
    etree.SubElement(holder, E + "CipherValue").text = b64(cipher)


def checked(root: etree._Element, version: str | None) -> None:
    """The refusals of MediaPackage's page."""
    if version not in CPIX:
        raise Refused("Unsupported SPEKE version")
    if not root.get("contentId"):
        raise Refused("Missing CPIX@contentId")
    if not root.get("version"):
        raise Refused("Missing CPIX@version")
    if root.get("version") != CPIX[version]:
        raise Refused("Unsupported CPIX@version")
    found = set()
    for key in root.iter(C + "ContentKey"):
        scheme = key.get("commonEncryptionScheme")
        if scheme is None:
            kid = key.get("kid")
            raise Refused(f"Missing ContentKey@commonEncryptionScheme for KID {kid}")
        found.add(scheme)
    if len(found) != 1 or not found <= set(SCHEMES):
        raise Refused("Non compliant ContentKey@commonEncryptionScheme combination")


def filled(root: etree._Element, mode: str) -> None:
    if mode == "replaces":
        text = {k.get("kid"): str(uuid.uuid5(uuid.NAMESPACE_URL, k.get("kid"))) for k in keys(root)}
        for element in root.iter():
            if element.get("kid") in text:
                element.set("kid", text[element.get("kid")])
    document_key, mac_key, public = os.urandom(32), os.urandom(64), None
    delivery = root.find(f"{C}DeliveryDataList/{C}DeliveryData")
    if delivery is not None:
        der = base64.b64decode("".join(delivery.findtext(f".//{D}X509Certificate").split()))
        public = x509.load_der_x509_certificate(der).public_key()
        holder = etree.SubElement(delivery, C + "DocumentKey")
        holder.set("Algorithm", "http://www.w3.org/2001/04/xmlenc#aes256-cbc")
        secret = etree.SubElement(etree.SubElement(holder, C + "Data"), P + "Secret")
        sealed(etree.SubElement(secret, P + "EncryptedValue"), document_key, public)
        method = etree.SubElement(delivery, C + "MACMethod")
        method.set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512")
        place = mode.rpartition("/")[2]
        if place == "0":
            sealed(etree.SubElement(method, P + "MACKey"), mac_key, public)
        elif place == "1":
            sealed(etree.SubElement(method, C + "Key"), mac_key, public)
        else:
            value = etree.SubElement(etree.SubElement(method, C + "Key"), P + "EncryptedValue")
            sealed(value, mac_key, public)
    for key in keys(root):
        value = key_of(key.get("kid"))
        secret = etree.SubElement(etree.SubElement(key, C + "Data"), P + "Secret")
        if public is None:
            etree.SubElement(secret, P + "PlainValue").text = b64(value)
            continue
        iv = os.urandom(16)
        cipher = Cipher(algorithms.AES(document_key), modes.CBC(iv)).encryptor()
        data = iv + cipher.update(value + bytes([16]) * 16)
        box = etree.SubElement(secret, P + "EncryptedValue")
        how = etree.SubElement(box, E + "EncryptionMethod")
        how.set("Algorithm", "http://www.w3.org/2001/04/xmlenc#aes256-cbc")
        text = etree.SubElement(etree.SubElement(box, E + "CipherData"), E + "CipherValue")
        text.text = b64(data)
        mac = hmac.digest(mac_key, data, hashlib.sha512)
        etree.SubElement(secret, P + "ValueMAC").text = b64(mac)
    for system in root.iter(C + "DRMSystem"):
        signal(system, root)
    if mode == "lacks":
        for element in root.iter(C + "PSSH"):
            element.text = None


def keys(root: etree._Element) -> list[etree._Element]:
    return list(root.iter(C + "ContentKey"))


def signal(system: etree._Element, root: etree._Element) -> None:
    kid, system_id = uuid.UUID(system.get("kid")), uuid.UUID(system.get("systemId"))
    data = b"\x12\x10" + kid.bytes
    size = 32 + len(data)
    box = size.to_bytes(4, "big") + b"pssh" + bytes(4) + system_id.bytes
    box += len(data).to_bytes(4, "big") + data
    method = "SAMPLE-AES" if keys(root)[0].get("commonEncryptionScheme") == "cbcs" else "X"
    for element in system:
        if element.tag == C + "PSSH":
            element.text = b64(box)
        elif element.tag == C + "ContentProtectionData":
            text = f'<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">{b64(box)}</cenc:pssh>'
            element.text = b64(text.encode())
        else:
            tag = "KEY" if element.get("playlist") == "media" else "SESSION-KEY"
            line = (
                f'#EXT-X-{tag}:METHOD={method},URI="skd://{kid}",KEYFORMAT="urn:uuid:{system_id}"'
            )
            element.text = b64(line.encode())


def allowed(request: web.Request, body: bytes, mode: str) -> bool:
    given = request.headers.get("Authorization", "")
    if mode == "basic":
        return given == "Basic " + b64(b"user:speke-password")
    if mode == "bearer":
        return given == "Bearer speke-token"
    if mode != "sigv4":
        return True
    names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {n: request.headers[n] for n in names if n != "host"}
    again = AWSRequest("POST", str(request.url), headers=headers, data=body)
    signer = SigV4Auth(AWS, "execute-api", "eu-west-1")
    again.context["timestamp"] = request.headers["X-Amz-Date"]
    text = signer.string_to_sign(again, signer.canonical_request(again))
    return given.endswith("Signature=" + signer.signature(text, again))


async def answer(request: web.Request) -> web.StreamResponse:
    mode = request.path.strip("/")
    asked[mode] += 1
    body = await request.read()
    kind = mode.partition("/")[0]
    if kind == "fails" and asked[mode] <= int(mode.rpartition("/")[2]):
        return web.Response(status=503)
    if kind == "busy":
        return web.Response(status=429)
    if kind == "broken":
        request.transport.close()
        return web.Response()
    if not allowed(request, body, mode):
        return web.Response(status=401, text="who are you")
    if kind == "text":  # as the reference server says that something is wrong
        return web.Response(status=500, text="Error: <secret detail>")
    root = etree.fromstring(body)
    try:
        checked(root, request.headers.get("X-Speke-Version"))
    except Refused as refused:
        return web.Response(status=422, text=str(refused))
    filled(root, mode)
    if kind == "renames":
        root.set("contentId", "another")
    headers = {"Content-Type": "application/xml"}
    if kind != "quiet":
        version = request.headers["X-Speke-Version"]
        headers |= {"X-Speke-Version": version, "X-Speke-User-Agent": "twin"}
    return web.Response(body=etree.tostring(root), headers=headers)


async def told(_: web.Request) -> web.Response:
    return web.json_response(asked)


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/asked", told)
    app.router.add_post("/{mode:.*}", answer)
    address = {"host": "127.0.0.1", "port": int(sys.argv[1])}
    web.run_app(app, **address, print=None, handle_signals=True, shutdown_timeout=0.1)
