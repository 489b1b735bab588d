// Renewal (CAT section 5): what `catr` asks for, the new token, and the way it travels.

import cbor from './cbor.js';
import text from './text.js';

const TYPE = 0, EXPADD = 1, DEADLINE = 2, COOKIE_NAME = 3, HEADER_NAME = 4, COOKIE_PARAMS = 5, HEADER_PARAMS = 6,
    STATUS = 7;
const EXP = 4, IAT = 6, CATR = 323;
const AUTOMATIC = 0, COOKIE = 1, HEADER = 2, REDIRECT = 3;
const DEADLINE_S = 60, ABSOLUTE = 1e9;
const NAME = 'cta-common-access-token';
const COOKIE_DEFAULTS = ['Path=/', 'Secure', 'HttpOnly', 'SameSite=None'];
const BY_SOURCE = { header: HEADER, cookie: COOKIE, query: REDIRECT, path: REDIRECT };

const numberOf = (value) => value !== undefined && value.float !== undefined ? value.float : value;

// The way a renewal of an accepted token is due: {type, catr}, else null (CAT-52, CAT-55). `source` is where
// the token came from.
function due(claims, now, method, source) {
    const catr = cbor.get(claims, CATR);
    const exp = numberOf(cbor.get(claims, EXP));
    if (catr === undefined || exp === undefined) {
        return null;
    }
    const asked = cbor.get(catr, TYPE), given = numberOf(cbor.get(catr, DEADLINE));
    const deadline = given === undefined ? DEADLINE_S : given;
    const type = asked === AUTOMATIC ? BY_SOURCE[source] : asked;
    const isUrl = BY_SOURCE[source] === REDIRECT && (method === 'GET' || method === 'HEAD');
    const circles = deadline <= ABSOLUTE && numberOf(cbor.get(catr, EXPADD)) <= deadline;
    if (now < (deadline > ABSOLUTE ? deadline : exp - deadline) || type === REDIRECT && (!isUrl || circles)) {
        return null;
    }
    return { type: type, catr: catr };
}

// The token again, alive for `expadd` seconds from now, other claims byte for byte (CAT-53).
function renewed(opened, renewal, now, host) {
    const key = opened.key;
    const at = Math.floor(now);
    const fresh = {};
    fresh[EXP] = at + Math.floor(numberOf(cbor.get(renewal.catr, EXPADD)));
    fresh[IAT] = at;
    const pairs = opened.envelope.claims.keys.map((label, index) =>
        fresh[label] === undefined ? opened.envelope.claims.pairs[index] : null).filter((pair) => pair);
    Object.keys(fresh).forEach((label) =>
        pairs.push(cbor.join([cbor.encode(parseInt(label, 10)), cbor.encode(fresh[label])])));
    const payload = cbor.encodeMap(pairs);
    const isProtected = new Uint8Array([0xa1, 1, 5]);
    const sealed = cbor.encode(['MAC0', isProtected, new Uint8Array(0), payload]);
    const seal = host.hmac(text.fromText(key.k), sealed);
    const kid = cbor.join([new Uint8Array([0xa1, 4]), cbor.encode(text.toUtf8(key.kid))]);
    const parts = [cbor.encode(isProtected), cbor.encode(payload), cbor.encode(seal)];
    return text.toText(cbor.join([new Uint8Array([0xd8, 61, 0xd1, 0x84]), parts[0], kid, parts[1], parts[2]]));
}

// {location, status} or {header, value} or {cookie} for a new token (CAT-54). `url` is the viewer's own.
function delivery(renewal, token, old, url) {
    const catr = renewal.catr;
    const withParams = (head, params) => [head].concat(params || []).join('; ');
    if (renewal.type === REDIRECT) {
        return { status: cbor.get(catr, STATUS) || 302, location: url.split(old).join(token) };
    }
    if (renewal.type === COOKIE) {
        return {
            cookie: withParams((cbor.get(catr, COOKIE_NAME) || NAME) + '=' + token,
                cbor.get(catr, COOKIE_PARAMS) || COOKIE_DEFAULTS)
        };
    }
    return {
        header: (cbor.get(catr, HEADER_NAME) || NAME).toLowerCase(),
        value: withParams(token, cbor.get(catr, HEADER_PARAMS))
    };
}

// What a request's outcome brings its viewer, or null. Only HS256 tokens are renewed at an edge: it holds no
// private keys.
function deliver(asked, outcome, host) {
    const opened = outcome.opened;
    const renewal = opened && !outcome.answer && opened.key.alg === 'HS256'
        ? due(opened.claims, asked.now, asked.method, outcome.source.source) : null;
    return renewal && delivery(renewal, renewed(opened, renewal, asked.now, host), outcome.source.token,
        asked.path + (asked.query && '?' + asked.query));
}

export default { deliver: deliver };
