// CloudFront's event as the core's request, and the core's answer as CloudFront's.

const joined = (field, mark) => field.multiValue ? field.multiValue.map((one) => one.value).join(mark) : field.value;

function neutral(happening, now) {
    const request = happening.request;
    const headers = {};
    Object.keys(request.headers).forEach((name) => headers[name] = joined(request.headers[name], ', '));
    const cookies = Object.keys(request.cookies).map((name) =>
        name + '=' + joined(request.cookies[name], ';' + name + '='));
    if (cookies.length) {
        headers.cookie = cookies.join(';');
    }
    const of = (name) => headers['cloudfront-viewer-' + name];
    return {
        method: request.method, scheme: headers['cloudfront-forwarded-proto'] || 'https', host: headers.host,
        path: request.uri, query: request.rawQueryString() || '', headers: headers, now: now,
        country: of('country-region') ? of('country') + '-' + of('country-region') : of('country'),
        metro: of('metro-code')
    };
}

function answer(reply) {
    const headers = {};
    Object.keys(reply.headers).forEach((name) => headers[name] = { value: reply.headers[name] });
    return { statusCode: reply.status, headers: headers, body: { encoding: 'text', data: reply.body } };
}

// E-57: no token, no address.
function line(happening, outcome) {
    const verdict = outcome.verdict;
    return JSON.stringify({
        'id': happening.context.requestId, 'mode': outcome.mode, 'reason': verdict && verdict.reason,
        'claim': verdict && verdict.claim, 'noted': outcome.noted.map((refused) => refused.claim),
        'kid': outcome.opened && outcome.opened.key.kid, 'legacy': outcome.legacy
    });
}

export default { neutral: neutral, answer: answer, line: line };
