// Fastly Compute: verdict, strip, cache and failover between backends, renewal and marks, in one handler.

import answers from '../core/answers.js';
import builtin from './config.js';
import edge from '../core/edge.js';
import hashes from '../core/sha256.js';
import origin from './origin.js';
import renew from '../core/renew.js';
import report from '../core/report.js';
import rsa from './rsa.js';
import signatures from '../core/signatures.js';
import stores from './stores.js';
import text from '../core/text.js';

const ECDSA = { name: 'ECDSA', hash: 'SHA-256' };
const HASH_DIGITS = 16, ES256_BYTES = 64;

// The runtime imports P-256 keys as JWK only.
async function check(algorithm, key, data, seal) {
    if (seal.length !== ES256_BYTES) {
        return false; // the runtime looks at the first 64 only
    }
    const jwk = { kty: 'EC', crv: 'P-256', x: key.x, y: key.y };
    const imported = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    return await crypto.subtle.verify(ECDSA, imported, seal, data);
}

const host = { get: stores.get, hmac: hashes.hmac, sha256: hashes.sha256, prepare: prepare };

const proves = async (algorithm, jwk, data, seal) =>
    algorithm === 'PS256' ? rsa.holds(jwk, data, seal) : await check(algorithm, jwk, data, seal);

async function prepare(tokens, keys, context) {
    const signed = await signatures.prepare(tokens, keys, context, host, ['ES256'], check, proves);
    signed.holds.PS256 = rsa.holds;
    return signed;
}

// Compute tells no HTTP version: HTTP/2 shows by its fingerprint, all else is unknown.
function neutral(event) {
    const request = event.request, client = event.client, place = client.geo || {};
    const cut = /^(https?):\/\/([^\/?#]*)([^?#]*)(?:\?([^#]*))?/.exec(request.url);
    const headers = {};
    request.headers.forEach((value, name) => {
        headers[name] = value;
    });
    return {
        method: request.method, scheme: cut[1], host: headers.host || cut[2], path: cut[3], query: cut[4] || '',
        headers: headers, now: Date.now() / 1000, ip: client.address || undefined, asn: place.as_number || undefined,
        country: place.region ? place.country_code + '-' + place.region : place.country_code || undefined,
        lat: known(place.latitude), lon: known(place.longitude),
        metro: place.metro_code ? String(place.metro_code) : undefined,
        alpn: client.h2Fingerprint ? 'h2' : undefined
    };
}

const known = (value) => value === null ? undefined : value;

async function handle(event) {
    const begun = Date.now();
    const config = await stores.settings();
    const asked = neutral(event);
    const outcome = await edge.decide(asked, config, host);
    const renewal = renewed(asked, outcome);
    const way = outcome.answer || renewal && renewal.location !== undefined ? null
        : await origin.ask(event.request, asked, outcome, config);
    console.log(report.line(event.request.headers.get('x-request-id') || '', outcome, {
        time: begun, cti: digest(outcome.opened && outcome.opened.cti), key: digest(outcome.path + '?' + outcome.query),
        origin: way && way.backend, us: (Date.now() - begun) * 1000
    }));
    if (outcome.answer) {
        return told(outcome.answer);
    }
    if (way === null) {
        const headers = answers.cors(asked.headers.origin, config.cookie_origins);
        headers.location = renewal.location;
        headers['cache-control'] = 'no-store';
        return new Response(null, { status: renewal.status, headers: headers });
    }
    return way.reply === null ? origin.gone(asked, config) : delivered(way, renewal, asked, config);
}

// A token that cannot be renewed is the viewer's old one still.
function renewed(asked, outcome) {
    try {
        return renew.deliver(asked, outcome, host);
    } catch (error) {
        return null;
    }
}

const digest = (value) => value === undefined || value === null ? null
    : text.toHex(hashes.sha256(typeof value === 'string' ? text.toUtf8(value) : value)).slice(0, HASH_DIGITS);

function told(answer) {
    const bare = answer.status === 204;
    return new Response(bare ? null : answer.body, { status: answer.status, headers: answer.headers });
}

// The marks are put on after the cache, so they are never in it (E-53, CAT-56).
function delivered(way, renewal, asked, config) {
    const fields = new Headers(way.reply.headers);
    const cors = answers.cors(asked.headers.origin, config.cookie_origins);
    const marks = report.marks(fields.get('cmsd-dynamic'), config.name, cors);
    marks['cmsd-dynamic'] += ';rd=' + way.waited_ms;
    Object.keys(marks).forEach((name) => fields.set(name, marks[name]));
    if (renewal && renewal.cookie !== undefined) {
        fields.append('set-cookie', renewal.cookie);
    } else if (renewal) {
        fields.set(renewal.header, renewal.value);
    }
    if (renewal) {
        fields.set('cache-control', 'private, no-store');
    }
    return new Response(way.reply.body, { status: way.reply.status, headers: fields });
}

// No request ends in the platform's own error page (E-56).
async function answered(event) {
    try {
        return await handle(event);
    } catch (error) {
        const asked = { headers: { origin: event.request.headers.get('origin') || undefined } };
        return told(answers.refusal('store', null, asked, builtin));
    }
}

addEventListener('fetch', (event) => event.respondWith(answered(event)));
