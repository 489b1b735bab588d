"""Every case of the shared steering vectors (specs/steering.md sections 2 to 4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from cdn_router import report
from cdn_router.clones import Clone, check
from cdn_router.errors import EmitError
from cdn_router.pathways import is_pathway_id
from cdn_router.steering import emit

FILE = Path(__file__).resolve().parents[3] / "shared/vectors/steering.json"
VECTORS: dict[str, Any] = (
    json.loads(FILE.read_text())
    if FILE.exists()
    else {"request_parse": [], "clone_examples": [], "pathway_id_legal": {}}
)
KNOWN = {"CDN-A", "alpha", "beta", "a", "b"}

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the shared vectors are not here")


@pytest.mark.parametrize("case", VECTORS["request_parse"], ids=lambda case: case["player"])
def test_every_player_form_is_read(case: dict[str, Any]) -> None:
    """ST-30..ST-32."""
    told = report.parse(case["query"], KNOWN)
    assert told.proto == case["expect"]["proto"]
    assert [list(entry) for entry in told.entries] == case["expect"]["report"]
    issue = case["expect"].get("issue")
    assert told.issues == ((issue,) if issue else ())


@pytest.mark.parametrize("text", VECTORS["pathway_id_legal"].get("valid", []))
def test_legal_ids(text: str) -> None:
    assert is_pathway_id(text)


@pytest.mark.parametrize("text", VECTORS["pathway_id_legal"].get("invalid", []))
def test_illegal_ids(text: str) -> None:
    assert not is_pathway_id(text)
    with pytest.raises(EmitError):
        emit([text], ttl_s=1, reload_uri="http://r/", declared=[text])


@pytest.mark.parametrize("case", VECTORS["clone_examples"], ids=lambda case: case["expect"])
def test_clone_examples(case: dict[str, Any]) -> None:
    """ST-16."""
    replacement = case["replacement"]
    clone = Clone(
        "CDN-A",
        "C",
        replacement["HOST"],
        replacement.get("PARAMS", {}),
        replacement.get("PER-VARIANT-URIS", {}),
    )
    check([clone], ["CDN-A"])
    base = case.get("baseUri", "")
    uri = base.rpartition("/")[0] + "/" + case["uri"] if base else case["uri"]
    assert clone.uri(uri, variant_id=case.get("stableVariantId", "")) == case["expect"]


def test_the_manifest_rules_hold() -> None:
    """The rows of `manifest_emit` about bytes; those about headers are in the server's test."""
    clone = Clone("CDN-A", "CDN-C", "c.example.com", {"t": "abc"})
    body = emit(
        ["CDN-B", "CDN-C"], ttl_s=20, reload_uri="https://s/x", declared=KNOWN, clones=[clone]
    )
    assert json.loads(body) == {
        "VERSION": 1,
        "TTL": 20,
        "RELOAD-URI": "https://s/x",
        "PATHWAY-PRIORITY": ["CDN-B", "CDN-C"],
        "PATHWAY-CLONES": [
            {
                "BASE-ID": "CDN-A",
                "ID": "CDN-C",
                "URI-REPLACEMENT": {"HOST": "c.example.com", "PARAMS": {"t": "abc"}},
            }
        ],
    }
    assert body.index(b'"VERSION":1') == 1, "the JSON number 1, not a text"
