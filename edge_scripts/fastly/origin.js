// Backends: the first that answers, the next where it fails (E-54), each told its own proof of where the request
// came from. `origin-auth-<backend>` is a shared secret, or {nonce, key} for G2O version 5 (O28).

import answers from '../core/answers.js';
import hashes from '../core/sha256.js';
import stores from './stores.js';
import text from '../core/text.js';

const SHARED_SECRET = 'x-origin-auth';
const G2O_DATA = 'x-akamai-g2o-auth-data', G2O_SIGN = 'x-akamai-g2o-auth-sign';
const UNKNOWN = '0.0.0.0';

// {reply, backend, waited_ms}; reply is the last one's where all fail, null where none answered.
async function ask(request, asked, outcome, config) {
    const headers = new Headers(request.headers);
    outcome.drop.concat([SHARED_SECRET, G2O_DATA, G2O_SIGN, 'cookie']).forEach((name) => headers.delete(name));
    if (outcome.cookie) {
        headers.set('cookie', outcome.cookie);
    }
    const target = outcome.path + (outcome.query && '?' + outcome.query);
    const backends = config.origins || ['origin'];
    const found = { reply: null, backend: null, waited_ms: 0 };
    for (let i = 0; i < backends.length; i++) {
        const begun = Date.now();
        try {
            const own = await authorised(headers, backends[i], target, asked);
            const next = new Request(asked.scheme + '://' + asked.host + target, { method: request.method, headers: own });
            found.reply = await fetch(next, { backend: backends[i] });
            found.backend = backends[i];
        } catch (error) {
            continue;
        }
        found.waited_ms = Date.now() - begun;
        if (!fails(found.reply.status, request.method, config)) {
            break;
        }
    }
    return found;
}

function fails(status, method, config) {
    return (method === 'GET' || method === 'HEAD') && config.failover.indexOf(status) >= 0;
}

async function authorised(headers, backend, target, asked) {
    const own = new Headers(headers);
    const secret = await stores.get('origin-auth-' + backend);
    if (secret !== null && secret.charAt(0) === '{') {
        const g2o = JSON.parse(secret);
        const unique = crypto.randomUUID();
        const data = [5, UNKNOWN, asked.ip || UNKNOWN, Math.floor(asked.now), unique, g2o.nonce].join(', ');
        const seal = hashes.hmac(text.toUtf8(g2o.key), text.toUtf8(data + target));
        own.set(G2O_DATA, data);
        own.set(G2O_SIGN, btoa(String.fromCharCode.apply(null, seal)));
    } else if (secret !== null) {
        own.set(SHARED_SECRET, secret);
    }
    return own;
}

// What a viewer is told when no backend answered.
function gone(asked, config) {
    const told = answers.refusal('store', null, asked, config);
    return new Response(told.body, { status: told.status, headers: told.headers });
}

export default { ask: ask, gone: gone };
