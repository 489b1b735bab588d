// Lambda@Edge's event as the core's request, and the core's answer as Lambda@Edge's. Viewer events know the client's
// address, but neither its place nor its protocol.

function neutral(request) {
    const headers = {};
    Object.keys(request.headers).forEach((name) => {
        headers[name] = request.headers[name].map((one) => one.value).join(name === 'cookie' ? ';' : ', ');
    });
    return {
        method: request.method, scheme: headers['cloudfront-forwarded-proto'] || 'https', host: headers.host,
        path: request.uri, query: request.querystring, headers: headers, now: Date.now() / 1000, ip: request.clientIp
    };
}

function fields(headers) {
    const found = {};
    Object.keys(headers).forEach((name) => {
        found[name] = [{ key: name, value: headers[name] }];
    });
    return found;
}

function answer(reply) {
    return { status: String(reply.status), headers: fields(reply.headers), body: reply.body };
}

export default { neutral: neutral, fields: fields, answer: answer };
