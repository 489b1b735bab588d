// Akamai EdgeWorkers: verdict and strip in onClientRequest, renewal and marks in onClientResponse.

import { logger } from 'log';
import { crypto } from 'crypto';
import { EdgeKV } from './edgekv.js';
import answers from '../core/answers.js';
import config from './config.js';
import edge from '../core/edge.js';
import hashes from '../core/sha256.js';
import renew from '../core/renew.js';
import report from '../core/report.js';
import signatures from '../core/signatures.js';
import text from '../core/text.js';

const RENEWED = 'PMUSER_RENEWED_CAT';
const VARIABLE_CHARS = 1024; // of all PMUSER_* together (E-2)
const PARAMETERS = {
    ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }, PS256: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 }
};
const store = new EdgeKV({ namespace: 'headwater', group: 'edge' });

// EdgeKV's items know neither colon nor slash.
async function get(name) {
    return await store.getText({ item: name.replace(/[^\w-]/g, '_'), default_value: null });
}

// Keys in EdgeKV carry `spki`, which `headwater edge deploy` writes.
async function check(algorithm, key, data, seal) {
    const kind = PARAMETERS[algorithm];
    const imported = await crypto.subtle.importKey('spki', text.fromText(key.spki), kind, false, ['verify']);
    return await crypto.subtle.verify(kind, imported, seal, data);
}

const host = { get: get, hmac: hashes.hmac, sha256: hashes.sha256, prepare: prepare };

async function prepare(tokens, keys, context) {
    return await signatures.prepare(tokens, keys, context, host, ['ES256', 'PS256'], check, proves);
}

async function proves(algorithm, jwk, data, seal) {
    const kind = PARAMETERS[algorithm];
    const imported = await crypto.subtle.importKey('jwk', jwk, kind, false, ['verify']);
    return await crypto.subtle.verify(kind, imported, seal, data);
}

function neutral(request) {
    const headers = {}, place = request.userLocation || {}, all = request.getHeaders();
    Object.keys(all).forEach((name) => {
        headers[name.toLowerCase()] = all[name].join(name.toLowerCase() === 'cookie' ? ';' : ', ');
    });
    return {
        method: request.method, scheme: request.scheme, host: request.host, path: request.path,
        query: request.query, headers: headers, now: Date.now() / 1000,
        ip: request.getVariable('PMUSER_CLIENT_IP') || undefined,
        alpn: request.getVariable('PMUSER_ALPN') || undefined,
        country: place.region ? place.country + '-' + place.region : place.country, metro: place.dma,
        lat: numberOf(place.latitude), lon: numberOf(place.longitude)
    };
}

const numberOf = (value) => value === undefined || value === '' ? undefined : parseFloat(value);

export async function onClientRequest(request) {
    const asked = neutral(request);
    const outcome = await edge.decide(asked, config, host);
    const renewal = renew.deliver(asked, outcome, host);
    const fits = !renewal || renewal.location !== undefined || JSON.stringify(renewal).length <= VARIABLE_CHARS;
    logger.log(report.line(request.requestId || '', outcome, fits ? {} : { renew: 'renew_too_large' }));
    if (outcome.answer) {
        request.respondWith(outcome.answer.status, outcome.answer.headers, outcome.answer.body);
    } else if (renewal && renewal.location !== undefined) {
        request.respondWith(renewal.status, { location: renewal.location, 'cache-control': 'no-store' }, '');
    } else {
        goOn(request, outcome);
        if (renewal && fits) {
            request.setVariable(RENEWED, JSON.stringify(renewal));
        }
    }
}

function goOn(request, outcome) {
    outcome.drop.forEach((name) => request.removeHeader(name));
    if (outcome.cookie) {
        request.setHeader('cookie', outcome.cookie);
    } else {
        request.removeHeader('cookie');
    }
    const way = { path: outcome.path, query: outcome.query };
    request.route(config.origins ? Object.assign(way, { origin: config.origins[0] }) : way);
}

export function onClientResponse(request, response) {
    const origin = (request.getHeader('origin') || [''])[0];
    const before = response.getHeader('cmsd-dynamic');
    const headers = report.marks(before && before.join(', '), config.name, answers.cors(origin, config.cookie_origins));
    Object.keys(headers).forEach((name) => response.setHeader(name, headers[name]));
    const held = request.getVariable(RENEWED);
    if (held) {
        const renewal = JSON.parse(held);
        if (renewal.cookie !== undefined) {
            response.addHeader('set-cookie', renewal.cookie);
        } else {
            response.setHeader(renewal.header, renewal.value);
        }
    }
}
