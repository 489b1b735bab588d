
// Behind a function: a neutral request as CloudFront's event, and what the function returns as a neutral answer.

function eventOf(test) {
    const headers = {}, cookies = {}, querystring = {};
    Object.keys(test.request.headers).filter((name) => !/^cloudfront-/.test(name)).forEach((name) => {
        if (name === 'cookie') {
            test.request.headers.cookie.split(/; */).forEach((pair) => {
                const cut = pair.indexOf('=');
                cookies[pair.slice(0, cut)] = { value: pair.slice(cut + 1) };
            });
        } else {
            headers[name] = { value: test.request.headers[name] };
        }
    });
    const query = test.request.query;
    headers.host = { value: test.request.host };
    headers['cloudfront-forwarded-proto'] = { value: test.request.scheme };
    const place = (test.request.country || '').split('-');
    if (place[0]) {
        headers['cloudfront-viewer-country'] = { value: place[0] };
    }
    if (place[1]) {
        headers['cloudfront-viewer-country-region'] = { value: place[1] };
    }
    if (test.request.metro) {
        headers['cloudfront-viewer-metro-code'] = { value: test.request.metro };
    }
    return {
        context: { requestId: 'test' }, viewer: { ip: test.request.ip },
        request: {
            method: test.request.method, uri: test.request.path, querystring: querystring, headers: headers,
            cookies: cookies, rawQueryString: () => query
        },
        response: test.response
    };
}

async function answerOf(test) {
    cf.state.origins = null;
    const event = eventOf(test);
    const out = await handler(event);
    const valued = (fields) => {
        const plain = {};
        Object.keys(fields).forEach((name) => plain[name] = fields[name].value);
        return plain;
    };
    if (out.statusCode) {
        const cookies = out.cookies || {};
        return {
            status: out.statusCode, headers: valued(out.headers), cookies: valued(cookies),
            set_cookie: Object.keys(cookies).map((name) =>
                name + '=' + cookies[name].value + '; ' + cookies[name].attributes),
            body: out.body && out.body.data ? out.body.data : ''
        };
    }
    return {
        path: out.uri, query: out.querystring, headers: valued(out.headers), cookies: valued(out.cookies),
        origins: cf.state.origins
    };
}
