// Lambda@Edge on viewer events: what the CloudFront function does, for tokens that it cannot verify (ES256, PS256) or
// that hold claims beyond its room. The origin group is the distribution's.

import answers from '../core/answers.js';
import config from './config.js';
import edge from '../core/edge.js';
import event from './event.js';
import host from './host.js';
import renew from '../core/renew.js';
import report from '../core/report.js';
import transport from '../core/transport.js';

export async function viewerRequest(happening) {
    const record = happening.Records[0].cf, request = record.request;
    const asked = event.neutral(request);
    const outcome = await edge.decide(asked, config, host);
    const renewal = renew.deliver(asked, outcome, host);
    console.log(report.line(record.config.requestId, outcome, {}));
    if (outcome.answer) {
        return event.answer(outcome.answer);
    }
    if (renewal && renewal.location !== undefined) {
        const headers = { 'location': renewal.location, 'cache-control': 'no-store' };
        return event.answer({ status: renewal.status, headers: headers, body: '' });
    }
    request.uri = outcome.path;
    request.querystring = outcome.query;
    outcome.drop.concat('cookie').forEach((name) => delete request.headers[name]);
    if (outcome.cookie) {
        Object.assign(request.headers, event.fields({ 'cookie': outcome.cookie }));
    }
    return request;
}

// Renewal by header or cookie, CMSD, the name of the CDN (E-46, E-53, E-55). The token is there where the distribution
// shows the viewer's own request, and is judged again.
export async function viewerResponse(happening) {
    const record = happening.Records[0].cf, response = record.response;
    const asked = event.neutral(record.request);
    const before = (response.headers['cmsd-dynamic'] || []).map((one) => one.value).join(', ');
    const fields = report.marks(before, config.name, answers.cors(asked.headers.origin, config.cookie_origins));
    const outcome = { noted: [] };
    try {
        await edge.furthest(asked, config, host, transport.candidates(asked.path, asked.query, asked.headers), outcome);
    } catch (error) {
        outcome.opened = null;
    }
    const renewal = renew.deliver(asked, outcome, host);
    if (renewal && renewal.cookie !== undefined) {
        const cookies = response.headers['set-cookie'] || [];
        response.headers['set-cookie'] = cookies.concat([{ key: 'set-cookie', value: renewal.cookie }]);
    } else if (renewal && renewal.location === undefined) {
        fields[renewal.header] = renewal.value;
    }
    Object.assign(response.headers, event.fields(fields));
    return response;
}
