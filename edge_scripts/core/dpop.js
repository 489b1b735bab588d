// Proof of possession (RFC 9449; CAT-80..CAT-83): the twin of `token/cat/dpop.py`. The host brings the signature check,
// asynchronous on most platforms, so a proof is read before the verdict and judged in it.

import cbor from './cbor.js';
import table from './claims.generated.js';
import text from './text.js';
import uris from './uri.js';

const PROOF_CHARS = 4096, JTI_CHARS = 128, WINDOW_S = 300;
const WINDOW = 0, JTI = 1, CRIT = -1, CATDPOP = 321;
const RSA_BYTES = 256;
const KINDS = {
    ES256: { fixed: { kty: 'EC', crv: 'P-256' }, members: ['crv', 'kty', 'x', 'y'] },
    PS256: { fixed: { kty: 'RSA' }, members: ['e', 'kty', 'n'] } // RFC 7638, 3.2: in this order
};
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'];

// What a proof says: {thumbprint, claims}, or null where it holds nothing, or undefined where the host cannot check it.
// `proves(algorithm, jwk, data, seal)` -> promise of true, false, or null for an algorithm it lacks.
async function read(header, host, proves) {
    const parts = typeof header === 'string' && header.length <= PROOF_CHARS
        ? /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(header) : null;
    const head = parts && objectOf(parts[1]), claims = parts && objectOf(parts[2]);
    const seal = parts && text.fromText(parts[3]);
    if (!head || !claims || !seal || !isSound(head)) {
        return null;
    }
    const jwk = {};
    KINDS[head.alg].members.forEach((name) => {
        jwk[name] = head.jwk[name];
    });
    let holds;
    try {
        holds = await proves(head.alg, jwk, text.toUtf8(parts[1] + '.' + parts[2]), seal);
    } catch (error) {
        holds = false;
    }
    return holds === null ? undefined : !holds ? null
        : { thumbprint: host.sha256(text.toUtf8(JSON.stringify(jwk))), claims: claims };
}

// A JSON object without doubled names, or null.
function objectOf(encoded) {
    const bytes = text.fromText(encoded);
    try {
        const json = text.fromUtf8(bytes), found = JSON.parse(json);
        const written = (json.match(/"(?:[^"\\]|\\.)*"\s*:/g) || []).length;
        return isObject(found) && written === namesIn(found) ? found : null;
    } catch (error) {
        return null;
    }
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function namesIn(value) {
    if (typeof value !== 'object' || value === null) {
        return 0;
    }
    const names = Object.keys(value), own = Array.isArray(value) ? 0 : names.length;
    return names.reduce((sum, name) => sum + namesIn(value[name]), own);
}

function isSound(head) {
    const kind = Object.prototype.hasOwnProperty.call(KINDS, head.alg) ? KINDS[head.alg] : null, jwk = head.jwk;
    const has = (name) => Object.prototype.hasOwnProperty.call(jwk, name);
    return kind !== null && head.typ === 'dpop+jwt' && head.crit === undefined && isObject(jwk) && !PRIVATE.some(has)
        && Object.keys(kind.fixed).every((name) => jwk[name] === kind.fixed[name])
        && kind.members.every((name) => typeof jwk[name] === 'string') && (head.alg === 'ES256' || isStrong(jwk));
}

// CAT-26: at least 2,048 bits, an odd exponent of at least 3.
function isStrong(jwk) {
    const n = text.fromText(jwk.n), e = text.fromText(jwk.e);
    return n !== null && e !== null && e.length > 0 && e[e.length - 1] % 2 === 1 && (e.length > 1 || e[0] >= 3)
        && (n.length > RSA_BYTES || n.length === RSA_BYTES && n[0] >= 0x80);
}

// Whether the proof that was read fits key, request and token; null where it cannot be told.
function holds(jkt, judged) {
    const context = judged.context, rules = cbor.get(judged.claims, CATDPOP) || { keys: [], values: [] };
    const signed = context.proof;
    if (cbor.get(rules, CRIT) !== undefined || signed === undefined) {
        return null;
    }
    if (signed === null || !text.sameBytes(signed.thumbprint, jkt)) {
        return false;
    }
    const windowS = cbor.get(rules, WINDOW), claims = signed.claims;
    const fits = typeof claims.jti === 'string' && claims.jti.length > 0 && claims.jti.length <= JTI_CHARS
        && typeof claims.iat === 'number'
        && Math.abs(context.now - claims.iat) <= (windowS === undefined ? WINDOW_S : windowS)
        && claims.htm === context.method && isSame(claims.htu, context.uri) && namesToken(claims, judged);
    // A jti is honoured once only where a store remembers it at once, which no edge has.
    return fits && cbor.get(rules, JTI) === 1 ? null : fits;
}

// RFC 9449, 4.3: the URI without query and fragment, in normal form and without the token's segment.
function isSame(htu, uri) {
    const bare = (whole) => uris.parse(whole.split(/[?#]/)[0]);
    const there = typeof htu === 'string' && htu.length <= PROOF_CHARS ? bare(htu) : null, here = bare(uri);
    return there !== null && here !== null
        && ['scheme', 'host', 'port', 'path'].every((part) => there[part] === here[part]);
}

function namesToken(claims, judged) {
    if (claims.ath === undefined) {
        return true;
    }
    const wanted = text.toText(judged.host.sha256(text.toUtf8(judged.token)));
    return typeof claims.ath === 'string' && text.sameBytes(text.toUtf8(claims.ath), text.toUtf8(wanted));
}

export default { read: read, holds: holds };
