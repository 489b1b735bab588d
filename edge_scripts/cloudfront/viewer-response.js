// CloudFront Functions, viewer response: renewal by header or cookie, CMSD, the name of the CDN (E-46, E-53, E-55).
// The request may be the viewer's own or the edited one; a token that is still there is judged again.

import answers from '../core/answers.js';
import config from './config.js';
import edge from '../core/edge.js';
import event from './event.js';
import host from './host.js';
import renew from './renew.js';
import transport from '../core/transport.js';

async function handler(happening) {
    const response = happening.response;
    const asked = event.neutral(happening, Date.now() / 1000);
    const fields = answers.cors(asked.headers.origin, config.cookie_origins);
    const before = response.headers['cmsd-dynamic'];
    fields['x-cdn'] = config.name;
    fields['cmsd-dynamic'] = (before ? before.value + ', ' : '') + '"' + config.name + '"';
    const outcome = { noted: [] };
    try {
        await edge.furthest(asked, config, host, transport.candidates(asked.path, asked.query, asked.headers), outcome);
    } catch (error) {
        outcome.opened = null;
    }
    const renewed = outcome.opened ? renew.renewed(asked, outcome) : null;
    if (renewed && renewed.header) {
        fields[renewed.header] = renewed.value;
    } else if (renewed) {
        response.cookies[renewed.cookie] = { value: renewed.value, attributes: renewed.attributes };
    }
    Object.keys(fields).forEach((name) => response.headers[name] = { value: fields[name] });
    return response;
}
