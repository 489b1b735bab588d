// The stand-in of EdgeWorkers (E-25, E-29): cases, one JSON a line, in; `ANSWER` lines out.

import fs from 'node:fs';
import { register } from 'node:module';

register('./loader.js', import.meta.url);
const { state } = await import('./edgekv.js');
const worker = await import('./main.js');
const VARIABLE_CHARS = 1024;

function requestOf(test) {
    const asked = test.request, headers = { ...asked.headers, host: asked.host };
    const place = (asked.country || '').split('-');
    const variables = { PMUSER_CLIENT_IP: asked.ip, PMUSER_ALPN: asked.alpn };
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
    return { request, headers, out };
}

const lines = fs.readFileSync(process.argv[2], 'utf8').split('\n').filter((line) => line);
for (const line of lines) {
    const test = JSON.parse(line);
    state.stores = test.stores;
    state.broken = test.broken || false;
    Date.now = () => test.request.now * 1000;
    const { request, headers, out } = requestOf(test);
    const before = process.cpuUsage();
    await worker.onClientRequest(request);
    const used = process.cpuUsage(before);
    let answer = out.answer;
    if (answer === null) {
        const sent = { ...(test.response ? test.response.headers : {}) };
        worker.onClientResponse(request, {
            getHeader: (name) => sent[name] === undefined ? undefined : [sent[name]],
            setHeader: (name, value) => { sent[name] = value; }, addHeader: (name, value) => { sent[name] = value; }
        });
        answer = { ...out.way, headers, response: sent };
    }
    console.log('ANSWER ' + JSON.stringify({ ...answer, cpu_us: used.user + used.system }));
}
