// Renewal through `cf.cwt.generateToken` (CAT-52..CAT-55; E-5: the examples' order of arguments).

import cf from 'cloudfront';
import text from './text.js';
import transport from '../core/transport.js';

const REDIRECT = 3;
const WAYS = { header: 2, cookie: 1, query: REDIRECT, path: REDIRECT };

// The way a renewal is due now: 1 cookie, 2 header, 3 redirect, else 0.
function due(asked, outcome) {
    const claims = outcome.opened.claims, catr = claims[323], source = WAYS[outcome.source.source];
    const deadline = catr && catr[2] !== undefined ? catr[2] : 60, isAbsolute = deadline > 1e9;
    const type = catr && (catr[0] || source);
    if (!catr || claims[4] === undefined || asked.now < (isAbsolute ? deadline : claims[4] - deadline)) {
        return 0;
    }
    const circles = source !== REDIRECT || !/^(GET|HEAD)$/.test(asked.method) || !isAbsolute && catr[1] <= deadline;
    return type === REDIRECT && circles ? 0 : type;
}

function tokenOf(asked, opened) {
    const now = Math.floor(asked.now);
    return cf.cwt.generateToken({
        protected: { 1: 5 }, unprotected: { 4: text.toUtf8(opened.key.kid) },
        payload: Object.assign({}, opened.claims, { 4: now + Math.floor(opened.claims[323][1]), 6: now })
    }, { cwtTag: true, coseTag: 'MAC0', key: text.fromText(opened.key.k) }).toString('base64url');
}

// The answer that sends the viewer to the same URL with a new token, or null.
function redirect(asked, outcome) {
    if (due(asked, outcome) !== REDIRECT) {
        return null;
    }
    const url = asked.path + (asked.query && '?' + asked.query);
    const to = url.split(outcome.source.token).join(tokenOf(asked, outcome.opened));
    return {
        status: outcome.opened.claims[323][7] || 302, body: '',
        headers: { 'location': to, 'cache-control': 'no-store' }
    };
}

// {header, value} or {cookie, value, attributes} for the viewer's response, or null.
function renewed(asked, outcome) {
    const way = due(asked, outcome), catr = outcome.opened.claims[323];
    if (way !== 1 && way !== 2) {
        return null;
    }
    const token = tokenOf(asked, outcome.opened);
    return way === 2 ? {
        header: (catr[4] || transport.NAME).toLowerCase(), value: [token].concat(catr[6] || []).join('; ')
    } : {
        cookie: catr[3] || transport.NAME, value: token,
        attributes: [].concat(catr[5] || ['Path=/', 'Secure', 'HttpOnly', 'SameSite=None']).join('; ')
    };
}

export default { redirect: redirect, renewed: renewed };
