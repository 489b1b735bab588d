// GENERATED from token/cat/tables.py. DO NOT MODIFY, use `python -m cat.javascript`.

const ALGORITHMS = {"5": {"name": "HS256", "tag": 17}, "-7": {"name": "ES256", "tag": 18}, "-37": {"name": "PS256", "tag": 18}};
const REASONS = {"missing": 401, "too_large": 401, "malformed": 401, "alg": 401, "header_crit": 401, "key": 401, "signature": 401, "claim_malformed": 401, "version": 401, "not_before": 401, "expired": 401, "issuer": 401, "replay": 401, "dpop": 401, "claim_unsupported": 403, "claim_contested": 403, "crit": 403, "audience": 403, "subject": 403, "revoked": 403, "method": 403, "uri": 403, "alpn": 403, "header": 403, "network": 403, "geo": 403, "tls": 403, "composite": 403, "por": 403, "blackout": 451, "store": 503};
const JKT = 323;
const LIMITS = {"encoded_chars": 4096, "depth": 16, "items": 2048, "map_pairs": 128, "array_items": 256, "list_items": 50, "regions": 250, "sets": 32, "set_depth": 8, "regexes": 8, "regex_bytes": 256, "regex_groups": 9, "subject_bytes": 8192, "header_names": 32, "text_bytes": 2048, "candidates": 6, "keys_tried": 8};
const CONTESTED = [41, 42, 43, 44, 45, 324, 325, 326, 327, 328, 401, 402, 403, 404];
const NOT_IN_SETS = ["catdpop", "catif", "catpor", "catr", "catreplay", "cnf"];
const COMPONENTS = {"0": "scheme", "1": "host", "2": "port", "3": "path", "4": "query", "5": "parent_path", "6": "filename", "7": "stem", "8": "extension"};
const MATCHES = {"0": "exact", "1": "prefix", "2": "suffix", "3": "contains", "4": "regex", "-1": "sha256", "-2": "sha512_256"};
const CLAIMS = [
    {"label": 310, "name": "catv", "shape": "uint", "step": 9, "judge": "version", "reason": "version"},
    {"label": 5, "name": "nbf", "shape": "time", "step": 10, "judge": "not_before", "reason": "not_before"},
    {"label": 4, "name": "exp", "shape": "time", "step": 10, "judge": "expiry", "reason": "expired"},
    {"label": 1, "name": "iss", "shape": "text", "step": 11, "judge": "issuer", "reason": "issuer"},
    {"label": 3, "name": "aud", "shape": "texts", "step": 11, "judge": "audience", "reason": "audience"},
    {"label": 2, "name": "sub", "shape": "text", "step": 11, "judge": "subject", "reason": "subject"},
    {"label": 313, "name": "catm", "shape": "methods", "step": 13, "judge": "method", "reason": "method"},
    {"label": 312, "name": "catu", "shape": "uri", "step": 13, "judge": "uri", "reason": "uri"},
    {"label": 314, "name": "catalpn", "shape": "alpns", "step": 13, "judge": "alpn", "reason": "alpn"},
    {"label": 315, "name": "cath", "shape": "headers", "step": 13, "judge": "headers", "reason": "header"},
    {"label": 311, "name": "catnip", "shape": "networks", "step": 13, "judge": "network", "reason": "network"},
    {"label": 282, "name": "geohash", "shape": "geohash", "step": 13, "judge": "geohash", "reason": "geo"},
    {"label": 316, "name": "catgeoiso3166", "shape": "regions", "step": 13, "judge": "region", "reason": "geo"},
    {"label": 317, "name": "catgeocoord", "shape": "circles", "step": 13, "judge": "circles", "reason": "geo"},
    {"label": 318, "name": "catgeoalt", "shape": "altitude", "step": 13, "judge": "altitude", "reason": "geo"},
    {"label": 319, "name": "cattpk", "shape": "bytes", "step": 13, "judge": "client_key", "reason": "tls"},
    {"label": 8, "name": "cnf", "shape": "confirmation", "step": 15, "judge": "proof", "reason": "dpop"},
    {"label": 321, "name": "catdpop", "shape": "dpop", "step": 15, "judge": null, "reason": "dpop"},
    {"label": 309, "name": "catpor", "shape": "portion", "step": 16, "judge": "portion", "reason": "por"},
    {"label": 308, "name": "catreplay", "shape": "replay", "step": 17, "judge": "replay", "reason": "replay"},
    {"label": 6, "name": "iat", "shape": "time", "step": 18, "judge": null, "reason": ""},
    {"label": 7, "name": "cti", "shape": "bytes", "step": 18, "judge": null, "reason": ""},
    {"label": 320, "name": "catifdata", "shape": "texts", "step": 18, "judge": null, "reason": ""},
    {"label": 322, "name": "catif", "shape": "catif", "step": 18, "judge": null, "reason": ""},
    {"label": 323, "name": "catr", "shape": "renewal", "step": 18, "judge": null, "reason": ""},
    {"label": 45, "name": "crit", "shape": "crit", "step": 8, "judge": "crit", "reason": "crit"},
    {"label": 44, "name": "enc", "shape": "any", "step": 14, "judge": "unsupported", "reason": "composite"},
    {"label": 41, "name": "or", "shape": "sets", "step": 14, "judge": "or", "reason": "composite"},
    {"label": 42, "name": "nor", "shape": "sets", "step": 14, "judge": "nor", "reason": "composite"},
    {"label": 43, "name": "and", "shape": "sets", "step": 14, "judge": "and", "reason": "composite"},
    {"label": 324, "name": "or", "shape": "sets", "step": 14, "judge": "or", "reason": "composite"},
    {"label": 325, "name": "nor", "shape": "sets", "step": 14, "judge": "nor", "reason": "composite"},
    {"label": 326, "name": "and", "shape": "sets", "step": 14, "judge": "and", "reason": "composite"},
    {"label": 403, "name": "catm", "shape": "methods", "step": 13, "judge": "method", "reason": "method"},
    {"label": 401, "name": "catu", "shape": "docs_uri", "step": 13, "judge": "docs_uri", "reason": "uri"},
    {"label": 402, "name": "catnip", "shape": "docs_networks", "step": 13, "judge": "docs_networks", "reason": "network"},
    {"label": 7, "name": "cti", "shape": "id", "step": 18, "judge": null, "reason": ""},
    {"label": 404, "name": "catr", "shape": "docs_renewal", "step": 18, "judge": null, "reason": ""}
];
const PROFILES = {"cta": {"extension_dot": true, "parent_slash": false, "text_labels": false, "rows": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]}, "akamai": {"extension_dot": true, "parent_slash": false, "text_labels": false, "rows": [25, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 26, 27, 28, 29, 16, 17, 18, 19, 20, 21, 22, 23, 24]}, "quicr": {"extension_dot": false, "parent_slash": true, "text_labels": false, "rows": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 30, 31, 32, 16, 17, 18, 19, 20, 21, 22, 23, 24]}, "cloudfront-docs": {"extension_dot": true, "parent_slash": false, "text_labels": true, "rows": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 33, 34, 35, 16, 17, 18, 19, 20, 36, 22, 23, 24, 37]}};

Object.keys(PROFILES).forEach((name) => {
    PROFILES[name].claims = PROFILES[name].rows.map((at) => CLAIMS[at]);
});

// The row of a label in a profile, or undefined.
function claim(profile, label) {
    return profile.claims.find((row) => row.label === label);
}

function status(reason) {
    return REASONS[reason];
}

export default { claim: claim, status: status, ALGORITHMS: ALGORITHMS, REASONS: REASONS, JKT: JKT, LIMITS: LIMITS, CONTESTED: CONTESTED, NOT_IN_SETS: NOT_IN_SETS, COMPONENTS: COMPONENTS, MATCHES: MATCHES, CLAIMS: CLAIMS, PROFILES: PROFILES };
