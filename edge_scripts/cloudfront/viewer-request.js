// CloudFront Functions, viewer request: verdict, strip, origin choice, renewal by redirect.

import cf from 'cloudfront';
import config from './config.js';
import edge from '../core/edge.js';
import event from './event.js';
import host from './host.js';
import renew from './renew.js';
import transport from '../core/transport.js';

async function handler(happening) {
    const request = happening.request;
    const asked = event.neutral(happening, Date.now() / 1000);
    const outcome = await edge.decide(asked, config, host);
    const moved = !outcome.answer && outcome.opened && renew.redirect(asked, outcome);
    console.log(event.line(happening, outcome));
    if (outcome.answer || moved) {
        return event.answer(outcome.answer || moved);
    }
    request.uri = outcome.path;
    request.querystring = outcome.query;
    outcome.drop.forEach((name) => delete request.headers[name]);
    Object.keys(request.cookies).filter((name) => name.toLowerCase() === transport.NAME)
        .forEach((name) => delete request.cookies[name]);
    if (config.origins) {
        cf.createRequestOriginGroup({
            originIds: config.origins.map((id) => ({ originId: id })),
            failoverCriteria: { statusCodes: config.failover }
        });
    }
    return request;
}
