// The face of `akamai/shim/host.js` over the objects of npm edgeworkers-jest-mocks: what they lack, the script may not
// call. `jest.fn` is the little of Jest that they use.

import { register } from 'node:module';
import { webcrypto } from 'node:crypto';

globalThis.jest = {
    fn: (first) => {
        let body = first;
        const mock = function (...args) { return body ? body.apply(this, args) : undefined; };
        mock.mockImplementation = (given) => { body = given; return mock; };
        mock.mockReturnThis = () => mock.mockImplementation(function () { return this; });
        return mock;
    }
};

register('./mocks_loader.js', import.meta.url);
const { state } = await import('./edgekv.js');
const { default: Request, ...asked } = await import('./__mocks__/request.js');
const { default: Response, ...replied } = await import('./__mocks__/response.js');
const { mock_crypto_subtle_importKey, mock_crypto_subtle_verify } = await import('./__mocks__/crypto.js');
mock_crypto_subtle_importKey.mockImplementation((...args) => webcrypto.subtle.importKey(...args));
mock_crypto_subtle_verify.mockImplementation((...args) => webcrypto.subtle.verify(...args));
const worker = await import('./main.js');

export function hold(stores, broken) {
    state.stores = stores;
    state.broken = broken || false;
}

export async function begin(test) {
    const headers = { ...test.headers, host: test.host }, place = (test.country || '').split('-');
    const variables = { PMUSER_CLIENT_IP: test.ip, PMUSER_ALPN: test.alpn };
    const out = { way: null, answer: null };
    const { method, scheme, host, path, query } = test;
    const request = Object.assign(new Request(), { method, scheme, host, path, query });
    Object.assign(request.userLocation, {
        country: place[0] || undefined, region: place[1], dma: test.metro,
        latitude: test.lat === undefined ? undefined : String(test.lat),
        longitude: test.lon === undefined ? undefined : String(test.lon)
    });
    asked.mockGetHeaders.mockImplementation(() =>
        Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])));
    asked.mockGetHeader.mockImplementation((name) => headers[name] === undefined ? undefined : [headers[name]]);
    asked.mockSetHeader.mockImplementation((name, value) => { headers[name] = value; });
    asked.mockRemoveHeader.mockImplementation((name) => { delete headers[name]; });
    asked.mockGetVariable.mockImplementation((name) => variables[name]);
    asked.mockSetVariable.mockImplementation((name, value) => { variables[name] = value; });
    asked.mockRespondWith.mockImplementation((status, fields, body) => {
        out.answer = { status, headers: fields, body, cookies: {} };
    });
    asked.mockRoute.mockImplementation((way) => { out.way = way; });
    await worker.onClientRequest(request);
    return { answer: out.answer || { ...out.way, headers }, kept: request };
}

export async function finish(test, request, headers) {
    const sent = { ...headers };
    replied.mockGetHeader.mockImplementation((name) => sent[name] === undefined ? undefined : [sent[name]]);
    replied.mockSetHeader.mockImplementation((name, value) => { sent[name] = value; });
    replied.mockAddHeader.mockImplementation((name, value) => { sent[name] = value; });
    worker.onClientResponse(request, new Response());
    return sent;
}
