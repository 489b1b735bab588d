// Both functions of a CloudFront distribution in Node, for `local/serve.js`.

import cf from './cloudfront.js';
import { answerOf as requested } from './viewer-request.js';
import { answerOf as responded } from './viewer-response.js';

export function hold(stores) {
    cf.state.store = stores;
}

export async function begin(request) {
    return { answer: await requested({ request }), kept: null };
}

export async function finish(request, kept, headers) {
    const fields = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, { value }]));
    const out = await responded({ request, response: { statusCode: 200, headers: fields, cookies: {} } });
    return { ...out.headers, ...(out.set_cookie.length ? { 'set-cookie': out.set_cookie[0] } : {}) };
}
