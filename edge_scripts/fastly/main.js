// Fastly Compute: verdict, strip, cache and failover between two backends, renewal and marks, in one handler.

import { ConfigStore } from 'fastly:config-store';
import { KVStore } from 'fastly:kv-store';
import { SecretStore } from 'fastly:secret-store';
import answers from '../core/answers.js';
import config from './config.js';
import edge from '../core/edge.js';
import hashes from '../core/sha256.js';
import renew from '../core/renew.js';
import report from '../core/report.js';
import signatures from '../core/signatures.js';

const ALPN = { 'HTTP/1.0': 'http/1.0', 'HTTP/1.1': 'http/1.1', 'HTTP/2': 'h2', 'HTTP/3': 'h3' };
const ECDSA = { name: 'ECDSA', hash: 'SHA-256' };
const SHARED_SECRET = 'x-origin-auth';

// Keys are secrets, the mode is configuration, all else is looked up.
async function get(name) {
    if (name === 'keys') {
        const secret = await new SecretStore('headwater').get(name);
        return secret === null ? null : secret.plaintext();
    }
    if (name === 'mode') {
        return new ConfigStore('headwater').get(name);
    }
    const entry = await new KVStore('headwater').get(name);
    return entry === null ? null : await entry.text();
}

// The runtime imports P-256 keys as JWK only, and has no RSA-PSS: PS256 tokens are refused as `alg`.
async function check(algorithm, key, data, seal) {
    const jwk = { kty: 'EC', crv: 'P-256', x: key.x, y: key.y };
    const imported = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    return await crypto.subtle.verify(ECDSA, imported, seal, data);
}

const host = { get: get, hmac: hashes.hmac, sha256: hashes.sha256, prepare: prepare };

async function prepare(tokens, keys, now) {
    return await signatures.prepare(tokens, keys, now, host, ['ES256'], check);
}

function neutral(event) {
    const request = event.request, client = event.client, place = client.geo || {};
    const cut = /^(https?):\/\/([^\/?#]*)([^?#]*)(?:\?([^#]*))?/.exec(request.url);
    const headers = {};
    request.headers.forEach((value, name) => {
        headers[name] = value;
    });
    return {
        method: request.method, scheme: cut[1], host: headers.host || cut[2], path: cut[3], query: cut[4] || '',
        headers: headers, now: Date.now() / 1000, ip: client.address, asn: place.as_number || undefined,
        country: place.region ? place.country_code + '-' + place.region : place.country_code || undefined,
        lat: place.latitude, lon: place.longitude, metro: place.metro_code ? String(place.metro_code) : undefined,
        alpn: ALPN[client.httpVersion]
    };
}

async function handle(event) {
    const asked = neutral(event);
    const outcome = await edge.decide(asked, config, host);
    const renewal = renew.deliver(asked, outcome, host);
    console.log(report.line(event.request.headers.get('x-request-id') || '', outcome, {}));
    if (outcome.answer) {
        const bare = outcome.answer.status === 204;
        return new Response(bare ? null : outcome.answer.body, {
            status: outcome.answer.status, headers: outcome.answer.headers
        });
    }
    if (renewal && renewal.location !== undefined) {
        const headers = { 'location': renewal.location, 'cache-control': 'no-store' };
        return new Response(null, { status: renewal.status, headers: headers });
    }
    const reply = await fetched(event.request, asked, outcome);
    const fields = new Headers(reply.headers);
    const cors = answers.cors(asked.headers.origin, config.cookie_origins);
    const marks = report.marks(fields.get('cmsd-dynamic'), config.name, cors);
    Object.keys(marks).forEach((name) => fields.set(name, marks[name]));
    if (renewal && renewal.cookie !== undefined) {
        fields.append('set-cookie', renewal.cookie);
    } else if (renewal) {
        fields.set(renewal.header, renewal.value);
    }
    return new Response(reply.body, { status: reply.status, headers: fields });
}

// The first backend that answers, the second where it fails (E-54); each is told its own secret.
async function fetched(request, asked, outcome) {
    const headers = new Headers(request.headers);
    outcome.drop.forEach((name) => headers.delete(name));
    headers.delete('cookie');
    if (outcome.cookie) {
        headers.set('cookie', outcome.cookie);
    }
    const url = asked.scheme + '://' + asked.host + outcome.path + (outcome.query && '?' + outcome.query);
    const backends = config.origins || ['origin'];
    let reply = null;
    for (let i = 0; i < backends.length; i++) {
        const secret = await new SecretStore('headwater').get('origin-auth-' + backends[i]);
        headers.delete(SHARED_SECRET);
        if (secret !== null) {
            headers.set(SHARED_SECRET, secret.plaintext());
        }
        try {
            reply = await fetch(new Request(url, { method: request.method, headers: headers }), { backend: backends[i] });
        } catch (error) {
            reply = null;
        }
        if (reply !== null && config.failover.indexOf(reply.status) < 0) {
            return reply;
        }
    }
    return reply || new Response('', { status: 503, headers: { 'cache-control': 'no-store' } });
}

addEventListener('fetch', (event) => event.respondWith(handle(event)));
