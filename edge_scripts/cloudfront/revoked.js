// `core/revoked.js` without filters: a value of the KeyValueStore holds 1 KB.

import text from '../core/text.js';

// The name of the claim by which a token is revoked, else null (E-50).
async function by(opened, now, host) {
    const cti = opened.cti, sub = opened.sub;
    if (cti !== undefined && await host.get('revoked:' + (typeof cti === 'string' ? cti : text.toHex(cti))) !== null) {
        return 'cti';
    }
    if (sub !== undefined && await host.get('revoked-sub:' + text.toHex(host.sha256(text.toUtf8(sub))).slice(0, 32)) !== null) {
        return 'sub';
    }
    return await host.get('revoked-kid:' + opened.key.kid) === null ? null : 'kid';
}

export default { by: by };
