// Both functions in Node, with events in Lambda@Edge's shape (E-26).

import { state } from './stores.mjs';
import { viewerRequest, viewerResponse } from './main.js';

const CONFIG = { distributionDomainName: 'd123.cloudfront.net', distributionId: 'EXAMPLE', requestId: 'test' };
const MOST_ANSWER_BYTES = 40 * 1024; // section 1: a generated answer of a viewer event

export function hold(stores, broken) {
    state.stores = stores;
    state.broken = broken || false;
}

const fields = (headers) => Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [{ key: name, value }]]));
const plain = (headers) => Object.fromEntries(
    Object.entries(headers).map(([name, lines]) => [name, lines.map((one) => one.value).join(', ')]));

function eventOf(asked, eventType, response) {
    const headers = fields({ ...asked.headers, 'host': asked.host, 'cloudfront-forwarded-proto': asked.scheme });
    const request = {
        clientIp: asked.ip, headers, method: asked.method, querystring: asked.query, uri: asked.path
    };
    return { Records: [{ cf: { config: { ...CONFIG, eventType }, request, ...(response ? { response } : {}) } }] };
}

export async function begin(asked) {
    const out = await viewerRequest(eventOf(asked, 'viewer-request'));
    if (out.status === undefined) {
        return { answer: { path: out.uri, query: out.querystring, headers: plain(out.headers) }, kept: null };
    }
    if (JSON.stringify(out).length > MOST_ANSWER_BYTES) {
        throw new Error('the generated answer is too long');
    }
    return { answer: { status: parseInt(out.status, 10), headers: plain(out.headers), body: out.body }, kept: null };
}

export async function finish(asked, kept, headers) {
    const response = { status: '200', statusDescription: 'OK', headers: fields(headers) };
    return plain((await viewerResponse(eventOf(asked, 'viewer-response', response))).headers);
}
