"""Known answers of other people's code (shared/vectors/cat_*.json) get the verdicts specs/cat.md
asks for.
"""

import json
from pathlib import Path

import pytest

import cat
from cat.text import normal_text

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
FILES = ("cat_known_answer_tokens", "cat_quicr_cose", "cat_divergence_cases")

# Case ids whose claims are not evaluated yet: they must be refused, never accepted.
NOT_EVALUATED: frozenset[str] = frozenset()


def _cases():
    for name in FILES:
        path = VECTORS / f"{name}.json"
        if not path.exists():
            continue
        document = json.loads(path.read_bytes())
        for case in document.get("tokens", []) + document.get("cases", []):
            for index, run in enumerate(case["verify"]):
                keys = document["keysets"][run["keys"]]
                token = case.get("token") or case["cose_b64url"]
                yield pytest.param(token, keys, run, case["id"], id=f"{case['id']}-{index}")


def _verdict(token, keys, run):
    args = dict(run["args"])
    options = cat.Options(
        profile=run["profile"],
        issuers=args.pop("issuer", ()),
        audiences=args.pop("audience", ()),
    )
    context = cat.Context(headers=args.pop("header", {}), **args)
    key_set = cat.KeySet.from_json(keys)
    verdict = cat.verify(normal_text(token), context, key_set, options)
    assert cat.Verifier(key_set, options).verify(normal_text(token), context) == verdict
    return verdict


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
@pytest.mark.parametrize(("token", "keys", "run", "name"), list(_cases()))
def test_known_answer(token, keys, run, name):
    verdict = _verdict(token, keys, run)
    if name in NOT_EVALUATED:
        assert not verdict.accept
        return
    assert (verdict.accept, verdict.reason, verdict.claim) == (
        run["accept"],
        run["reason"],
        run["claim"],
    )


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
def test_encodings_decode_and_encode_again():
    from cat import cbor

    document = json.loads((VECTORS / "cat_quicr_cose.json").read_bytes())
    for case in document["cbor_encoding"]:
        data = bytes.fromhex(case["payload_cbor_hex"])
        decoded = cbor.decode(data)
        assert cbor.decode(cbor.encode(decoded)) == decoded
