// The COSE envelope (RFC 9052; CAT-1..CAT-8) and its seal. HMACs are checked here; signatures by the host
// that can (`host.holds`).

import cbor from './cbor.js';
import table from './claims.generated.js';
import text from './text.js';

const ALG = 1, CRIT = 2, KID = 4;
const CWT = 61, MAC0 = 17, ENCRYPT0 = 16;
const MAC_BYTES = 32;

// {reason} when refused, else the parts of the token, not yet believed.
function parse(data) {
    let parts;
    try {
        parts = take(cbor.decode(data));
    } catch (error) {
        parts = null;
    }
    return parts === null ? { reason: 'malformed', step: 2 } : parts;
}

function isBytes(value) {
    return value instanceof Uint8Array;
}

function take(item) {
    if (item !== null && item.tag === CWT) {
        item = item.value;
    }
    const tag = item === null ? undefined : item.tag;
    const parts = tag === undefined ? undefined : item.value;
    if (!Array.isArray(parts) || parts.length !== { 16: 3, 17: 4, 18: 4 }[tag]) {
        return null;
    }
    if (!isBytes(parts[0]) || !cbor.isMap(parts[1]) || !isBytes(parts[2])) {
        return null;
    }
    const headers = parts[0].length ? cbor.decode(parts[0]) : { keys: [], values: [] };
    const loose = parts[1];
    if (!cbor.isMap(headers) || loose.keys.indexOf(CRIT) >= 0) {
        return null;
    }
    if (headers.keys.some((label) => loose.keys.indexOf(label) >= 0)) {
        return null;
    }
    const sealed = cbor.get(headers, KID);
    let kid = sealed === undefined ? cbor.get(loose, KID) : sealed;
    if (typeof kid === 'string') {
        kid = text.toUtf8(kid);
    }
    const crit = cbor.get(headers, CRIT);
    if (crit !== undefined && !(Array.isArray(crit) && crit.length)) {
        return null;
    }
    if (kid !== undefined && kid !== null && !isBytes(kid)) {
        return null;
    }
    if (tag === ENCRYPT0) {
        return { reason: 'key', step: 4 };
    }
    const claims = cbor.decode(parts[2]);
    if (!isBytes(parts[3]) || !cbor.isMap(claims)) {
        return null;
    }
    return {
        tag: tag, isProtected: parts[0], alg: cbor.get(headers, ALG), kid: kid === undefined ? null : kid,
        payload: parts[2], claims: claims, seal: parts[3], crit: crit === undefined ? [] : crit
    };
}

// Steps 3 and 4 of CAT section 10: {reason, step}, or the algorithm's name and the live keys to try.
function keysFor(envelope, keys, now) {
    const algorithm = typeof envelope.alg === 'number' ? table.ALGORITHMS[envelope.alg] : undefined;
    const usable = algorithm && algorithm.tag === envelope.tag
        ? keys.filter((key) => key.alg === algorithm.name) : [];
    const isNamed = (key) => envelope.kid === null || text.sameBytes(text.toUtf8(key.kid), envelope.kid);
    const named = usable.filter(isNamed);
    if (usable.length === 0 || (named.length === 0 && keys.some(isNamed))) {
        return { reason: 'alg', step: 3 };
    }
    if (envelope.crit.some((label) => label !== ALG && label !== KID)) {
        return { reason: 'header_crit', step: 3 };
    }
    const live = named.filter((key) => !(key.nbf > now) && !(key.exp <= now));
    return live.length === 0 ? { reason: 'key', step: 4 }
        : { name: algorithm.name, keys: live.slice(0, table.LIMITS.keys_tried) };
}

function sealedBytes(envelope) {
    const context = envelope.tag === MAC0 ? 'MAC0' : 'Signature1';
    return cbor.encode([context, envelope.isProtected, new Uint8Array(0), envelope.payload]);
}

function macHolds(key, data, seal, host) {
    const secret = text.fromText(key.k);
    // Both sides go through the MAC once more: there is no timing-safe compare here (E-11).
    return secret !== null && seal.length === MAC_BYTES
        && text.sameBytes(host.hmac(secret, host.hmac(secret, data)), host.hmac(secret, seal));
}

// Steps 3 to 5 of CAT section 10: {reason, step} when refused, else the key that holds.
function believe(envelope, keys, now, host) {
    const found = keysFor(envelope, keys, now);
    if (found.reason) {
        return found;
    }
    const holds = found.name === 'HS256' ? macHolds : host.holds && host.holds[found.name];
    if (!holds) {
        return { reason: 'alg', step: 3 };
    }
    const data = sealedBytes(envelope);
    const key = found.keys.find((candidate) => holds(candidate, data, envelope.seal, host));
    return key ? { key: key } : { reason: 'signature', step: 5 };
}

export default { parse: parse, keysFor: keysFor, sealedBytes: sealedBytes, believe: believe };
