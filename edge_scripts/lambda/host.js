// Node's hashes and signatures, and the stores that travel in the function's zip: a viewer-triggered function has no
// environment, and five seconds.

import crypto from 'crypto';
import { stores } from './stores.mjs';
import signatures from '../core/signatures.js';
import text from '../core/text.js';

const SEAL_BYTES = 64;
const ES256 = { dsaEncoding: 'ieee-p1363' };
const PS256 = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };

async function get(name) {
    return stores[name] === undefined ? null : stores[name];
}

const hmac = (key, data) => crypto.createHmac('sha256', key).update(data).digest();
const sha256 = (data) => crypto.createHash('sha256').update(data).digest();

const KINDS = {
    ES256: (key, data, seal) => seal.length === SEAL_BYTES && verified(key, data, seal, ES256),
    PS256: (key, data, seal) => verified(key, data, seal, PS256)
};

const verified = (key, data, seal, kind) =>
    crypto.verify('sha256', data, Object.assign({ key: crypto.createPublicKey(key) }, kind), seal);

// Keys carry `spki`, which `headwater edge` writes.
async function check(algorithm, key, data, seal) {
    return KINDS[algorithm]({ key: Buffer.from(text.fromText(key.spki)), format: 'der', type: 'spki' }, data, seal);
}

async function proves(algorithm, jwk, data, seal) {
    return KINDS[algorithm]({ key: jwk, format: 'jwk' }, data, seal);
}

async function prepare(tokens, keys, context) {
    return await signatures.prepare(tokens, keys, context, host, Object.keys(KINDS), check, proves);
}

const host = { get: get, hmac: hmac, sha256: sha256, prepare: prepare };

export default host;
