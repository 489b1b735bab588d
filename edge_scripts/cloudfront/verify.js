// `core/verify.js` in the least room, for the claims a CloudFront bundle is built with; `cf.cwt` has no ints apart
// from floats, so integral floats pass as ints. Claims left out refuse as `claim_unsupported`.

import cose from './cose.js';
import table from '../core/claims.generated.js';
import text from './text.js';
import uris from '../core/uri.js';

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

const refuse = (reason, claim, step) => ({ accept: false, reason: reason, claim: claim, step: step });

function open(token, keys, now, profile, host) {
    const data = text.fromText(token);
    const envelope = data ? cose.parse(data) : { reason: 'malformed', step: 1 };
    const believed = envelope.reason ? envelope : cose.believe(envelope, keys, now);
    if (believed.reason) {
        return refuse(believed.reason, null, believed.step);
    }
    const claims = envelope.claims;
    const contested = table.CONTESTED.find((label) => claims[label] !== undefined);
    if (contested) {
        return refuse('claim_contested', '' + contested, 6);
    }
    const wrong = table.ROWS.find((row) => {
        const value = claims[row.label];
        return value !== undefined && !SHAPES[row.shape](value);
    });
    return wrong ? refuse('claim_malformed', wrong.name, 7)
        : { key: believed.key, claims: claims, cti: claims[7], sub: claims[2] };
}

function judge(opened, context, profile, host) {
    for (let i = 0; i < table.ROWS.length; i++) {
        const row = table.ROWS[i], value = opened.claims[row.label];
        if (context.revoked && row.step > 12) {
            return refuse('revoked', context.revoked, 12);
        }
        const holds = value !== undefined ? JUDGES[row.judge](value, context, host) : row.name === 'iss'
            ? !context.issuers.length : context.require.indexOf(row.name) < 0 || 'missing';
        if (holds !== true) {
            const reason = holds === null ? 'claim_unsupported' : holds || row.reason;
            const refused = refuse(reason, row.name, row.step);
            if (context.logged.indexOf(row.name) < 0) {
                return refused;
            }
            context.noted.push(refused);
        }
    }
    return { accept: true, reason: 'ok', claim: null, step: 18 };
}

const isText = (value) => typeof value === 'string';
const isNumber = (value) => typeof value === 'number';
const isMap = (value) => '' + value === '[object Object]' && Object.keys(value).length > 0;
const isBytes = (value) => value instanceof Uint8Array;
const isTime = (value) => isNumber(value) && Math.abs(value) <= 2 ** 53;
const isList = (value, test, most) => Array.isArray(value) && value.length > 0 && value.length <= most
    && value.every(test);
const isToken = (value) => isText(value) && TOKEN.test(value);

const SHAPES = {
    any: () => true,
    uint: (value) => value === Math.floor(Math.abs(value)),
    time: isTime,
    text: isText,
    texts: (value) => isText(value) || Array.isArray(value) && value.every(isText),
    bytes: isBytes,
    id: (value) => isBytes(value) || isText(value),
    methods: (value) => isList(value, isToken, 50),
    regions: (value) => isList(value, isText, 250),
    alpns: (value) => isList(value, isBytes, 50),
    uri: (value) => isMap(value) && Object.keys(value).every((part) =>
        table.COMPONENTS[part] && isMatch(value[part])),
    headers: (value) => isMap(value) && Object.keys(value).every((name) => isToken(name) && isMatch(value[name])),
    renewal: (value) => isMap(value) && [0, 1, 2, 3].indexOf(value[0]) >= 0 && value[1] >= 1
        && [3, 4].every((at) => isToken(value[at] || 'a')) && !/[\r\n\0]/.test([value[5], value[6]])
};

// Exact, prefix, suffix, contains, SHA-256; regular expressions and SHA-512/256 are not evaluated here.
const isMatch = (matches) => isMap(matches) && Object.keys(matches).every((type) => {
    const value = matches[type];
    return type < 0 ? type > -3 && isBytes(value) && value.length === 32
        : type < 4 ? isText(value) && (type < 1 || value !== '')
            : type < 5 && Array.isArray(value) && isText(value[0]);
});

function holds(matches, texts, fold, host) {
    const subject = texts[0];
    return all(Object.keys(matches).map((type) => {
        const held = matches[type], value = fold && isText(held) ? held.toLowerCase() : held;
        return type < -1 || type > 3 ? null : type < 0 ? text.sameBytes(host.sha256(subject), value)
            : type < 1 ? texts.indexOf(value) >= 0
                : type < 2 ? subject.indexOf(value) === 0
                    : type < 3 ? subject.slice(-value.length) === value : subject.indexOf(value) >= 0;
    }));
}

const all = (answers) => answers.indexOf(false) >= 0 ? false : answers.indexOf(null) >= 0 ? null : true;

const JUDGES = {
    pass: () => true,
    subject: () => true,
    unsupported: () => null,
    version: (value) => value === 1,
    not_before: (value, context) => context.now >= value,
    expiry: (value, context) => context.now < value,
    issuer: (value, context) => !context.issuers.length || context.issuers.indexOf(value) >= 0,
    audience: (value, context) => [].concat(value).some((name) => context.audiences.indexOf(name) >= 0),
    method: (value, context) => value.indexOf(context.method) >= 0,
    uri: (value, context, host) => {
        const parts = uris.fromParts(context.scheme, context.host, context.bare.path, context.bare.query);
        return parts ? all(Object.keys(value).map((part) =>
            holds(value[part], uris.component(parts, part, table.PROFILE), part === '1', host))) : false;
    },
    region: (value, context) => {
        const client = context.country;
        return client ? value.some((entry) =>
            entry.toUpperCase() === client || entry.toUpperCase() === client.split('-')[0]) : null;
    },
    alpn: (value, context) => context.alpn ? value.some((item) => '' + item === context.alpn) : null,
    headers: (value, context, host) => all(Object.keys(value).map((name) => {
        const field = context.headers[name.toLowerCase()];
        return field === undefined ? false : holds(value[name], [field.trim()], false, host);
    }))
};

export default { open: open, judge: judge };
