// A stand-in of Compute's Web APIs in Node (E-29): cases, one JSON a line, in; `ANSWER` lines out. What the
// service fetches from its backends is the answer's `path`, `query` and `headers`.

import fs from 'node:fs';
import { register } from 'node:module';

register('./loader.js', import.meta.url);
const { state } = await import('./stores.js');
let handler;
globalThis.addEventListener = (name, listener) => { handler = listener; };
await import('./main.js');
const VERSIONS = { 'http/1.1': 'HTTP/1.1', 'h2': 'HTTP/2', 'h3': 'HTTP/3' };

// Undici forbids some names to pages; a service may read and set all of them.
class Fields extends Map {
    constructor(from) {
        super();
        for (const [name, value] of from instanceof Map ? from : Object.entries(from || {})) {
            this.set(name, value);
        }
    }
    get(name) { return super.get(name.toLowerCase()) ?? null; }
    set(name, value) { return super.set(name.toLowerCase(), value); }
    append(name, value) { return this.set(name, this.has(name) ? this.get(name) + ', ' + value : value); }
    delete(name) { return super.delete(name.toLowerCase()); }
}
globalThis.Headers = Fields;
globalThis.Request = class { constructor(url, init) { Object.assign(this, init, { url, headers: new Fields(init.headers) }); } };
globalThis.Response = class {
    constructor(body, init) { Object.assign(this, { body, status: init.status || 200, headers: new Fields(init.headers) }); }
};

for (const line of fs.readFileSync(process.argv[2], 'utf8').split('\n').filter((one) => one)) {
    const test = JSON.parse(line), asked = test.request, place = (asked.country || '').split('-');
    state.stores = test.stores;
    state.broken = test.broken || false;
    Date.now = () => asked.now * 1000;
    const fetched = [];
    globalThis.fetch = async (request, options) => {
        const down = (test.down || {})[options.backend];
        fetched.push({ request, backend: options.backend });
        if (down === 0) {
            throw new TypeError('no connection');
        }
        return new Response('media', { status: down || 200, headers: test.response ? test.response.headers : {} });
    };
    let promise;
    const before = process.cpuUsage();
    handler({
        request: new Request(asked.scheme + '://' + asked.host + asked.path + (asked.query && '?' + asked.query),
            { method: asked.method, headers: { ...asked.headers, host: asked.host } }),
        client: {
            address: asked.ip, httpVersion: VERSIONS[asked.alpn],
            geo: {
                country_code: place[0] || null, region: place[1] || null, as_number: asked.asn, latitude: asked.lat,
                longitude: asked.lon, metro_code: asked.metro
            }
        },
        respondWith: (given) => { promise = given; }
    });
    const reply = await promise;
    const used = process.cpuUsage(before);
    const answer = { headers: Object.fromEntries(reply.headers), backends: fetched.map((one) => one.backend) };
    if (fetched.length) {
        const last = fetched[fetched.length - 1].request;
        const cut = /^https?:\/\/[^\/?]*([^?]*)\??(.*)$/.exec(last.url);
        Object.assign(answer, { path: cut[1], query: cut[2], response: answer.headers, headers: Object.fromEntries(last.headers) });
        answer.served = reply.status;
    } else {
        Object.assign(answer, { status: reply.status, body: reply.body || '' });
    }
    console.log('ANSWER ' + JSON.stringify({ ...answer, cpu_us: used.user + used.system }));
}
