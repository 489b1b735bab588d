// The COSE envelope (RFC 9052; CAT-1..CAT-8). Only COSE_Mac0 with HS256 can be checked here (E-2).

import cbor from './cbor.js';
import table from './claims.generated.js';
import text from './text.js';

const ALG = 1, CRIT = 2, KID = 4;
const CWT = 61, MAC0 = 17, SIGN1 = 18, ENCRYPT0 = 16;

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

// Steps 3 to 5 of CAT section 10; null when the seal holds. `hmac(key, data)` is the host's.
function refusedSeal(envelope, keys, now, hmac) {
    if (envelope.alg !== table.HS256 || envelope.tag !== MAC0) {
        return { reason: 'alg', step: 3 };
    }
    const usable = keys.filter((key) => key.alg === 'HS256');
    if (usable.length === 0) {
        return { reason: 'alg', step: 3 };
    }
    const isNamed = (key) => envelope.kid === null || text.sameBytes(text.toUtf8(key.kid), envelope.kid);
    const named = usable.filter(isNamed);
    if (named.length === 0 && keys.some(isNamed)) {
        return { reason: 'alg', step: 3 };
    }
    if (envelope.crit.some((label) => label !== ALG && label !== KID)) {
        return { reason: 'header_crit', step: 3 };
    }
    const live = named.filter((key) => !(key.nbf > now) && !(key.exp <= now));
    if (live.length === 0) {
        return { reason: 'key', step: 4 };
    }
    const data = cbor.encode(['MAC0', envelope.isProtected, new Uint8Array(0), envelope.payload]);
    const holds = live.slice(0, table.LIMITS.keys_tried).some((key) => {
        const secret = text.fromText(key.k);
        // Both sides go through the MAC once more: there is no timing-safe compare here (E-11).
        return secret !== null && envelope.seal.length === 32
            && text.sameBytes(hmac(secret, hmac(secret, data)), hmac(secret, envelope.seal));
    });
    return holds ? null : { reason: 'signature', step: 5 };
}

export default { parse: parse, refusedSeal: refusedSeal };
