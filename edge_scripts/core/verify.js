// The verdict on a token, in the order of CAT section 10. One core for every edge: it knows no host, only
// `host.hmac(key, data)` and `host.sha256(data)`, both bytes to bytes, and the clock as `context.now`.

import cbor from './cbor.js';
import cose from './cose.js';
import JUDGES from './judges.js';
import shapes from './shapes.js';
import table from './claims.generated.js';
import text from './text.js';

function refuse(reason, claim) {
    return { accept: false, reason: reason, claim: claim };
}

// context: {uri, now, method, ip, asn, country, lat, lon, alpn, headers, issuers, audiences, require};
// keys: JWK members as in CONTRACT's `--keys`. Answers {accept, reason, claim}.
function verify(token, context, keys, profileName, host) {
    if (token.length > table.LIMITS.encoded_chars) {
        return refuse('too_large', null);
    }
    const data = text.fromText(token);
    if (data === null) {
        return refuse('malformed', null);
    }
    const envelope = cose.parse(data);
    const refused = envelope.reason ? envelope : cose.refusedSeal(envelope, keys, context.now, host.hmac);
    if (refused) {
        return refuse(refused.reason, null);
    }
    const profile = table.PROFILES[profileName];
    const claims = profile.text_labels ? labelled(envelope.claims) : envelope.claims;
    if (claims === null) {
        return refuse('malformed', null);
    }
    const judged = { claims: claims, context: context, profile: profile, host: host };
    return refusedForm(judged) || refusedClaim(judged) || { accept: true, reason: 'ok', claim: null };
}

// Decimal text labels as ints; null when one label has both spellings (CAT-62).
function labelled(claims) {
    const keys = claims.keys.map((label) =>
        typeof label === 'string' && /^[0-9]{1,4}$/.test(label) ? parseInt(label, 10) : label);
    const twice = keys.some((label, at) => keys.indexOf(label) !== at);
    return twice ? null : { keys: keys, values: claims.values };
}

// Steps 6 and 7.
function refusedForm(judged) {
    const contested = contestedIn(judged.claims, judged.profile, table.LIMITS.set_depth);
    if (contested.length) {
        return refuse('claim_contested', String(Math.min.apply(null, contested)));
    }
    const has = (name) => judged.profile.claims.some((claim) =>
        claim.name === name && judged.claims.keys.indexOf(claim.label) >= 0);
    const wrong = judged.profile.claims.find((claim) => {
        const value = cbor.get(judged.claims, claim.label);
        return value !== undefined && !shapes.SHAPES[claim.shape](value, judged.profile);
    });
    if (wrong) {
        return refuse('claim_malformed', wrong.name);
    }
    return has('catdpop') && !has('cnf') ? refuse('claim_malformed', 'catdpop') : null;
}

function contestedIn(claims, profile, depth) {
    let found = [];
    claims.keys.forEach((label, at) => {
        const claim = table.claim(profile, label);
        const value = claims.values[at];
        if (!claim && table.CONTESTED.indexOf(label) >= 0) {
            found.push(label);
        } else if (claim && claim.shape === 'sets' && Array.isArray(value) && depth > 0) {
            value.filter(cbor.isMap).forEach((set) => {
                found = found.concat(contestedIn(set, profile, depth - 1));
            });
        }
    });
    return found;
}

// Steps 8 to 17: the table stands in the order of evaluation.
function refusedClaim(judged) {
    const rows = judged.profile.claims;
    for (let i = 0; i < rows.length; i++) {
        const claim = rows[i];
        const value = cbor.get(judged.claims, claim.label);
        if (value === undefined) {
            if (claim.name === 'iss' && judged.context.issuers.length) {
                return refuse(claim.reason, claim.name);
            }
            if ((judged.context.require || []).indexOf(claim.name) >= 0) {
                return refuse('missing', claim.name);
            }
        } else if (claim.judge !== null) {
            const holds = JUDGES[claim.judge](value, judged);
            if (holds !== true) {
                return refuse(holds === null ? 'claim_unsupported' : claim.reason, claim.name);
            }
        }
    }
    return null;
}

export default { verify: verify };
