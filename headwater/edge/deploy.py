"""What a deployment sends, as data: the platforms' own CLI commands, for dry runs, and the keys in
the form that each script reads.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cat.keys import KeySet
from cat.revocation import Snapshot
from cat.text import to_text
from headwater.edge.build import Bundle
from headwater.edge.errors import BuildError
from headwater.edge.package import FILE

FILTER_BYTES: Final = 256 << 10  # of a value in EdgeKV (E-50)
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi"})


def edge_keys(members: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Keys as the scripts' store item `keys`: no private part of a key pair, SPKI beside it."""
    kept = []
    for own in members:
        (key,) = KeySet.from_json([own])
        public = {name: value for name, value in own.items() if name not in PRIVATE}
        if isinstance(key.public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            spki = key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            public["spki"] = to_text(spki)
        kept.append(public)
    return kept


def edge_filter(snapshot: bytes) -> str:
    """A snapshot of revocations as the scripts' store item `revoked-filter`. BuildError where
    EdgeKV has no room for it: `Revocations.snapshot` takes more false positives, and each costs
    one exact read only.
    """
    text = to_text(snapshot)
    if (over := len(text) - FILTER_BYTES) > 0:
        raise BuildError(f"the filter is {over} bytes over the limit of {FILTER_BYTES}")
    Snapshot(snapshot)
    return text


def commands(platform: str, name: str, bundles: Iterable[Bundle], folder: str) -> list[list[str]]:
    """The platform's own CLI, one command a list; nothing is run."""
    return [step for bundle in bundles for step in _COMMANDS[platform](name, bundle, folder)]


def _cloudfront(name: str, bundle: Bundle, folder: str) -> list[list[str]]:
    function = f"{name}-{bundle.name}"
    config = (
        f"Comment={bundle.manifest['sha256']},Runtime=cloudfront-js-2.0,"
        "KeyValueStoreAssociations={Quantity=1,Items=[{KeyValueStoreARN=$KVS_ARN}]}"
    )
    return [
        [
            "aws", "cloudfront", "create-function", "--name", function,
            "--function-config", config,
            "--function-code", f"fileb://{folder}/{bundle.name}.js",
        ],
        ["aws", "cloudfront", "publish-function", "--name", function, "--if-match", "$ETAG"],
    ]  # fmt: skip


def _akamai(name: str, bundle: Bundle, folder: str) -> list[list[str]]:
    return [
        [
            "tar",
            "-C",
            folder,
            "-czf",
            f"{folder}/{name}.tgz",
            "main.js",
            "edgekv.js",
            "bundle.json",
        ],
        ["akamai", "edgeworkers", "upload", "$EDGEWORKER_ID", "--bundle", f"{folder}/{name}.tgz"],
        ["akamai", "edgeworkers", "activate", "$EDGEWORKER_ID", "STAGING", "$VERSION"],
    ]


def _fastly(name: str, bundle: Bundle, folder: str) -> list[list[str]]:
    package = ["--package", f"{folder}/{FILE}"]
    return [["fastly", "compute", "deploy", *package, "--service-name", name]]


def _lambda(name: str, bundle: Bundle, folder: str) -> list[list[str]]:
    """One zip, two functions; Lambda@Edge takes published versions of us-east-1 only."""
    region = ["--region", "us-east-1"]
    limits = ["--runtime", "nodejs20.x", "--memory-size", "128", "--timeout", "5"]
    steps = []
    for event, handler in (("request", "viewerRequest"), ("response", "viewerResponse")):
        function = ["--function-name", f"{name}-viewer-{event}"]
        steps += [
            [
                "aws", "lambda", "create-function", *region, *function, *limits,
                "--handler", f"index.{handler}", "--role", "$LAMBDA_ROLE_ARN",
                "--zip-file", f"fileb://{folder}/lambda.zip",
                "--description", str(bundle.manifest["sha256"]),
            ],
            ["aws", "lambda", "publish-version", *region, *function],
        ]  # fmt: skip
    return steps


_COMMANDS = {
    "cloudfront": _cloudfront,
    "akamai": _akamai,
    "lambda": _lambda,
    "fastly": _fastly,
}
