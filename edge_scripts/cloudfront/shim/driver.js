
// The stand-in's end (E-29): cases, one JSON a line, through the function above; `ANSWER` lines out.

function eventOf(test) {
    const headers = {}, cookies = {}, querystring = {};
    Object.keys(test.request.headers).forEach((name) => {
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
    cf.state.store = test.stores;
    cf.state.broken = test.broken || false;
    cf.state.origins = null;
    Date.now = () => test.request.now * 1000;
    const event = eventOf(test);
    const out = await handler(event);
    const valued = (fields) => {
        const plain = {};
        Object.keys(fields).forEach((name) => plain[name] = fields[name].value);
        return plain;
    };
    if (out.statusCode) {
        const cookies = out.cookies ? valued(out.cookies) : {};
        return {
            status: out.statusCode, headers: valued(out.headers), cookies: cookies,
            body: out.body && out.body.data ? out.body.data : ''
        };
    }
    return {
        path: out.uri, query: out.querystring, headers: valued(out.headers), cookies: valued(out.cookies),
        origins: cf.state.origins
    };
}

async function runAll(lines) {
    for (let i = 0; i < lines.length; i++) {
        if (lines[i]) {
            const answer = await answerOf(JSON.parse(lines[i]));
            console.log('ANSWER ' + JSON.stringify(answer));
        }
    }
}

runAll(require('fs').readFileSync(process.argv[2], 'utf8').split('\n')).catch((error) => console.log('THROWN ' + error.stack));
