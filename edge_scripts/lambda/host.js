// Node's hashes and signatures, and the stores that travel in the function's zip: a viewer-triggered function has no
// environment, and five seconds.

import crypto from 'crypto';
import { stores } from './stores.mjs';
import text from '../core/text.js';

const SEAL_BYTES = 64;
const ES256 = { dsaEncoding: 'ieee-p1363' };
const PS256 = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };

async function get(name) {
    return stores[name] === undefined ? null : stores[name];
}

const hmac = (key, data) => crypto.createHmac('sha256', key).update(data).digest();
const sha256 = (data) => crypto.createHash('sha256').update(data).digest();

// Keys carry `spki`, which `headwater edge` writes.
function verified(key, data, seal, kind) {
    const found = crypto.createPublicKey({ key: Buffer.from(text.fromText(key.spki)), format: 'der', type: 'spki' });
    return crypto.verify('sha256', data, Object.assign({ key: found }, kind), seal);
}

const holds = {
    ES256: (key, data, seal) => seal.length === SEAL_BYTES && verified(key, data, seal, ES256),
    PS256: (key, data, seal) => verified(key, data, seal, PS256)
};

export default { get: get, hmac: hmac, sha256: sha256, holds: holds };
