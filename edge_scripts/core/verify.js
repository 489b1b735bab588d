// The verdict on a token, in the order of CAT section 10. One core for every edge: it knows no host, only
// `host.hmac(key, data)` and `host.sha256(data)`, both bytes to bytes, and the clock as `context.now`.

import cbor from './cbor.js';
import cose from './cose.js';
import JUDGES from './judges.js';
import shapes from './shapes.js';
import table from './claims.generated.js';
import text from './text.js';

const SUB = 2, CTI = 7;
const TAKEN_OUT = 12; // step of revocation in CAT section 10

function refuse(reason, claim, step) {
    return { accept: false, reason: reason, claim: claim, step: step };
}

// Steps 1 to 7: a refusal, or {envelope, key, claims, cti, sub} of a token whose seal and forms are right.
function open(token, keys, now, profile, host) {
    if (token.length > table.LIMITS.encoded_chars) {
        return refuse('too_large', null, 1);
    }
    const data = text.fromText(token);
    if (data === null) {
        return refuse('malformed', null, 1);
    }
    const envelope = cose.parse(data);
    const believed = envelope.reason ? envelope : cose.believe(envelope, keys, now, host);
    if (believed.reason) {
        return refuse(believed.reason, null, believed.step);
    }
    const claims = profile.text_labels ? labelled(envelope.claims) : envelope.claims;
    if (claims === null) {
        return refuse('malformed', null, 6);
    }
    return refusedForm(claims, profile) || {
        token: token, envelope: envelope, key: believed.key, claims: claims, cti: cbor.get(claims, CTI), sub: cbor.get(claims, SUB)
    };
}

// Steps 8 to 17. context: {uri, now, method, ip, asn, country, lat, lon, alpn, headers, issuers,
// audiences, require, revoked, logged}; failures of claims named in `logged` only go to its `noted`.
function judge(opened, context, profile, host) {
    return refusedClaim({ token: opened.token, claims: opened.claims, context: context, profile: profile, host: host })
        || { accept: true, reason: 'ok', claim: null, step: 18 };
}

// keys: JWK members as in CONTRACT's `--keys`. Answers {accept, reason, claim, step}.
function verify(token, context, keys, profileName, host) {
    const profile = table.PROFILES[profileName];
    const opened = open(token, keys, context.now, profile, host);
    return opened.reason ? opened : judge(opened, context, profile, host);
}

// Decimal text labels as ints; null when one label has both spellings (CAT-62).
function labelled(claims) {
    const keys = claims.keys.map((label) =>
        typeof label === 'string' && /^[0-9]{1,4}$/.test(label) ? parseInt(label, 10) : label);
    const twice = keys.some((label, at) => keys.indexOf(label) !== at);
    return twice ? null : { keys: keys, values: claims.values };
}

// Steps 6 and 7.
function refusedForm(claims, profile) {
    const contested = contestedIn(claims, profile, table.LIMITS.set_depth);
    if (contested.length) {
        return refuse('claim_contested', String(Math.min.apply(null, contested)), 6);
    }
    const has = (name) => profile.claims.some((claim) =>
        claim.name === name && claims.keys.indexOf(claim.label) >= 0);
    const wrong = profile.claims.find((claim) => {
        const value = cbor.get(claims, claim.label);
        return value !== undefined && !shapes.SHAPES[claim.shape](value, profile);
    });
    if (wrong) {
        return refuse('claim_malformed', wrong.name, 7);
    }
    return has('catdpop') && !has('cnf') ? refuse('claim_malformed', 'catdpop', 7) : null;
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

// The table stands in the order of evaluation.
function refusedClaim(judged) {
    const rows = judged.profile.claims, context = judged.context;
    for (let i = 0; i < rows.length; i++) {
        if (context.revoked && rows[i].step > TAKEN_OUT) {
            return refuse('revoked', context.revoked, TAKEN_OUT);
        }
        const refused = refusedBy(rows[i], judged);
        if (refused && (context.logged || []).indexOf(rows[i].name) >= 0) {
            context.noted.push(refused);
        } else if (refused) {
            return refused;
        }
    }
    return null;
}

function refusedBy(claim, judged) {
    const value = cbor.get(judged.claims, claim.label);
    if (value === undefined) {
        return claim.name === 'iss' && judged.context.issuers.length
            ? refuse(claim.reason, claim.name, claim.step)
            : (judged.context.require || []).indexOf(claim.name) >= 0
                ? refuse('missing', claim.name, claim.step) : null;
    }
    const holds = claim.judge === null || JUDGES[claim.judge](value, judged);
    return holds === true ? null
        : refuse(holds === null ? 'claim_unsupported' : claim.reason, claim.name, claim.step);
}

export default { open: open, judge: judge, verify: verify };
