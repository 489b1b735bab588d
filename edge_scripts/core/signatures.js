// Signatures where only WebCrypto checks them, asynchronously: asked before the verdict, remembered for it.

import cose from './cose.js';
import text from './text.js';

// A host whose `holds` knows the answers for these tokens. `check(algorithm, key, data, seal)` -> promise of a
// boolean; `algorithms` are those that the host can check.
async function prepare(tokens, keys, now, host, algorithms, check) {
    const memo = {};
    for (let i = 0; i < tokens.length; i++) {
        const data = text.fromText(tokens[i].token);
        const envelope = data === null ? { reason: 'malformed' } : cose.parse(data);
        const found = envelope.reason ? envelope : cose.keysFor(envelope, keys, now);
        if (found.keys && algorithms.indexOf(found.name) >= 0) {
            const sealed = cose.sealedBytes(envelope);
            for (let j = 0; j < found.keys.length; j++) {
                const holds = await check(found.name, found.keys[j], sealed, envelope.seal);
                memo[nameOf(found.keys[j], sealed, envelope.seal)] = holds;
            }
        }
    }
    const known = (key, sealed, seal) => memo[nameOf(key, sealed, seal)] === true;
    const holds = {};
    algorithms.forEach((name) => {
        holds[name] = known;
    });
    return Object.assign({}, host, { holds: holds });
}

const nameOf = (key, sealed, seal) => [key.kid, text.toHex(sealed), text.toHex(seal)].join(':');

export default { prepare: prepare };
