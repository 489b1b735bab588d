// The log line of a request (E-57): no token, no address.

function line(id, outcome, more) {
    const verdict = outcome.verdict;
    return JSON.stringify(Object.assign({
        id: id, mode: outcome.mode, reason: verdict ? verdict.reason : null, claim: verdict ? verdict.claim : null,
        noted: outcome.noted.map((refused) => refused.claim), kid: outcome.opened ? outcome.opened.key.kid : null,
        legacy: outcome.legacy || null
    }, more));
}

// CMSD of the nearest hop last, the CDN's name, and CORS, for a response on its way out (E-47, E-53, E-55).
function marks(before, name, cors) {
    const headers = Object.assign({}, cors, { 'x-cdn': name });
    headers['cmsd-dynamic'] = (before ? before + ', ' : '') + '"' + name + '"';
    return headers;
}

export default { line: line, marks: marks };
