// What an edge does with a request, in the order of E-40: normal URL, preflight, blackout, mode, legacy client,
// candidates, verdict with revocation, strip. Hosts bring the request, the stores and the hashes:
//
// request: {method, scheme, host, path, query, headers, now, ip, asn, country, lat, lon, alpn, metro}
// host: {get(name) -> promise of a text or null, hmac, sha256, holds?, prepare?(tokens, keys, now)}
// config: `edge.json`, see the README.

import answers from './answers.js';
import blackouts from './blackout.js';
import legacy from './legacy.js';
import revoked from './revoked.js';
import table from './claims.generated.js';
import transport from './transport.js';
import uris from './uri.js';
import verify from './verify.js';

const MODES = ['off', 'log', 'enforce'];
const CMCD_HEADERS = ['cmcd-object', 'cmcd-request', 'cmcd-session', 'cmcd-status'];

// {answer} to send back, or {path, query, cookie, drop} to go on with; beside it {mode, noted}, and where a token
// was judged {verdict}, where one was accepted {opened, source}. Never throws: where a step does, enforce refuses and the other modes serve (E-56).
async function decide(request, config, host) {
    const found = transport.candidates(request.path, request.query, request.headers);
    const path = uris.normalPath(found.path);
    const outcome = {
        mode: 'enforce', noted: [],
        path: path === null ? found.path : path, query: withoutCmcd(found.query), cookie: found.cookie,
        drop: CMCD_HEADERS.concat(transport.NAME)
    };
    if (request.method === 'OPTIONS') {
        outcome.answer = answers.preflight(request, config);
        return outcome;
    }
    try {
        const policy = policyOf(outcome.path, config);
        outcome.mode = policy.mode;
        await judged(request, config, host, found, policy, outcome);
    } catch (error) {
        outcome.verdict = refusal('store');
    }
    if (outcome.verdict && path === null) {
        outcome.verdict = refusal('uri');
    }
    const verdict = outcome.verdict;
    if (verdict && !verdict.accept && outcome.mode === 'enforce') {
        outcome.answer = answers.refusal(verdict.reason, verdict.claim, request, config);
    }
    return outcome;
}

async function judged(request, config, host, found, policy, outcome) {
    const blackout = await blackouts.find(request, config, host, outcome.path);
    if (blackout && blackout.replacement) {
        outcome.path = blackout.replacement;
    } else if (blackout) {
        outcome.answer = answers.refusal('blackout', null, request, config);
        return;
    }
    const told = await tryGet(host, 'mode');
    outcome.mode = MODES.indexOf(told) < 0 ? policy.mode : told;
    if (outcome.mode === 'off' || legacy.passes(request, config, policy, outcome)) {
        return;
    }
    outcome.verdict = await furthest(request, config, host, found, outcome);
}

const refusal = (reason) => ({ accept: false, reason: reason, claim: null, step: 0 });

async function tryGet(host, name) {
    try {
        return await host.get(name);
    } catch (error) {
        return null;
    }
}

function withoutCmcd(query) {
    return query.split('&').filter((pair) => !/^CMCD(=|$)/.test(pair)).join('&');
}

// The policy with the longest prefix of the path: {prefix, mode, legacy?}.
function policyOf(path, config) {
    return config.policies.reduce((best, policy) =>
        path.indexOf(policy.prefix) === 0 && policy.prefix.length > best.prefix.length ? policy : best,
    { prefix: '', mode: config.mode });
}

// The first candidate that is accepted, else the one that got furthest (CAT-91).
async function furthest(request, config, host, found, outcome) {
    const tokens = found.tokens;
    let best = refusal('missing');
    if (!tokens.length) {
        return best;
    }
    const held = await host.get('keys');
    const keys = JSON.parse(held);
    const profile = table.PROFILES[config.profile];
    const context = Object.assign({}, config, request, {
        uri: request.scheme + '://' + request.host + request.path + (request.query && '?' + request.query),
        bare: found, headers: withoutToken(request.headers, found.cookie), noted: outcome.noted, revoked: null
    });
    const signed = host.prepare ? await host.prepare(tokens, keys, context) : host;
    for (let i = 0; i < tokens.length; i++) {
        const opened = verify.open(tokens[i].token, keys, request.now, profile, signed);
        let verdict = opened;
        if (!opened.reason) {
            context.revoked = await revoked.by(opened, request.now, host);
            verdict = verify.judge(opened, context, profile, host);
        }
        if (verdict.accept) {
            outcome.opened = opened;
            outcome.source = tokens[i];
            return verdict;
        }
        best = verdict.step > best.step ? verdict : best;
    }
    return best;
}

function withoutToken(headers, cookie) {
    const rest = Object.assign({}, headers);
    delete rest[transport.NAME];
    delete rest.cookie;
    return cookie ? Object.assign(rest, { cookie: cookie }) : rest;
}

export default { decide: decide, furthest: furthest };
