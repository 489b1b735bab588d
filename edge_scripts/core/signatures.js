// Signatures where only WebCrypto checks them, asynchronously: asked before the verdict, remembered for it.

import cose from './cose.js';
import dpop from './dpop.js';
import text from './text.js';

// A host whose `holds` knows the answers for these tokens. `check(algorithm, key, data, seal)` -> promise of a
// boolean; `algorithms` are those that the host can check. A host with `proves` has the request's proof read beside it.
async function prepare(tokens, keys, context, host, algorithms, check, proves) {
    const memo = {};
    for (let i = 0; i < tokens.length; i++) {
        const data = text.fromText(tokens[i].token);
        const envelope = data === null ? { reason: 'malformed' } : cose.parse(data);
        const found = envelope.reason ? envelope : cose.keysFor(envelope, keys, context.now);
        if (found.keys && algorithms.indexOf(found.name) >= 0) {
            const sealed = cose.sealedBytes(envelope);
            for (let j = 0; j < found.keys.length; j++) {
                const holds = await check(found.name, found.keys[j], sealed, envelope.seal);
                memo[nameOf(found.keys[j], sealed, envelope.seal)] = holds;
            }
        }
    }
    if (proves && context.headers.dpop !== undefined) {
        context.proof = await dpop.read(context.headers.dpop, host, proves);
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
