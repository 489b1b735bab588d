// What an edge answers itself: refusals, preflights, blackouts (CAT section 11; E-47, E-49, E-51).

import challenge from './challenge.js';
import table from './claims.generated.js';

const EXPOSED = 'CTA-Common-Access-Token, CAT-Reason, CMSD-Static, CMSD-Dynamic, Content-Length, Content-Range, '
    + 'Date, Retry-After, X-CDN';
const ALLOWED = 'CTA-Common-Access-Token, DPoP, Range, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status';
const ACCESS = 'access-control-';
const RETRY_AFTER_S = '2';

// CORS members of every answer; `origins` are those that may send cookies (E-47).
function cors(origin, origins) {
    const isKnown = origins.indexOf(origin) >= 0;
    const headers = isKnown ? { 'vary': 'Origin' } : {};
    headers[ACCESS + 'allow-origin'] = isKnown ? origin : '*';
    headers[ACCESS + 'expose-headers'] = EXPOSED;
    if (isKnown) {
        headers[ACCESS + 'allow-credentials'] = 'true';
    }
    return headers;
}

function refusal(reason, claim, request, config) {
    const status = table.status(reason);
    const headers = cors(request.headers.origin, config.cookie_origins);
    headers['content-type'] = 'application/json';
    headers['cache-control'] = 'no-store';
    headers['cat-reason'] = reason;
    headers['x-cdn'] = config.name;
    if (status === 401) {
        headers['www-authenticate'] = challenge.of(reason);
    } else if (status === 503) {
        headers['retry-after'] = RETRY_AFTER_S;
    }
    return {
        status: status, headers: headers,
        body: JSON.stringify({ 'error': 'cat', 'reason': reason, 'claim': claim })
    };
}

function preflight(request, config) {
    const headers = cors(request.headers.origin, config.cookie_origins);
    headers[ACCESS + 'allow-methods'] = 'GET, HEAD, OPTIONS';
    headers[ACCESS + 'allow-headers'] = ALLOWED;
    headers[ACCESS + 'max-age'] = '86400';
    return { status: 204, headers: headers, body: '' };
}

export default { cors: cors, refusal: refusal, preflight: preflight };
