// An EdgeWorker's two events in Node, for `driver.js` and `local/serve.js`.

import { register } from 'node:module';

register('./loader.js', import.meta.url);
const { state } = await import('./edgekv.js');
const worker = await import('./main.js');
const VARIABLE_CHARS = 1024;

export function hold(stores, broken) {
    state.stores = stores;
    state.broken = broken || false;
}

// The request object of both events: {request, headers, out, variables}; `kept` are the variables of the first.
function requestOf(asked, kept) {
    const headers = { ...asked.headers, host: asked.host };
    const place = (asked.country || '').split('-');
    const variables = kept || { PMUSER_CLIENT_IP: asked.ip, PMUSER_ALPN: asked.alpn };
    const out = { way: null, answer: null };
    const request = {
        method: asked.method, scheme: asked.scheme, host: asked.host, path: asked.path, query: asked.query,
        userLocation: {
            country: place[0] || undefined, region: place[1], dma: asked.metro,
            latitude: asked.lat === undefined ? undefined : String(asked.lat),
            longitude: asked.lon === undefined ? undefined : String(asked.lon)
        },
        getHeaders: () => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
        getHeader: (name) => headers[name.toLowerCase()] === undefined ? undefined : [headers[name.toLowerCase()]],
        setHeader: (name, value) => { headers[name] = value; },
        removeHeader: (name) => { delete headers[name]; },
        getVariable: (name) => variables[name],
        setVariable: (name, value) => {
            variables[name] = value;
            if (Object.values(variables).join('').length > VARIABLE_CHARS) {
                throw new Error('PMUSER variables are too long');
            }
        },
        respondWith: (status, fields, body) => { out.answer = { status, headers: fields, body, cookies: {} }; },
        route: (way) => { out.way = way; }
    };
    return { request, headers, out, variables };
}

export async function begin(asked) {
    const { request, headers, out, variables } = requestOf(asked, null);
    await worker.onClientRequest(request);
    return { answer: out.answer || { ...out.way, headers }, kept: variables };
}

export async function finish(asked, kept, headers) {
    const sent = { ...headers };
    worker.onClientResponse(requestOf(asked, kept).request, {
        getHeader: (name) => sent[name] === undefined ? undefined : [sent[name]],
        setHeader: (name, value) => { sent[name] = value; }, addHeader: (name, value) => { sent[name] = value; }
    });
    return sent;
}
