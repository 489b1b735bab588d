// Where a token travels: header, query, path segment, cookie; found and taken out in one go (CAT-90..CAT-94).

import table from './claims.generated.js';
import text from './text.js';

const NAME = 'cta-common-access-token';
const BARE_SEGMENT_CHARS = 50;

// {tokens: [{token, source}], path, query, cookie}: the candidates in order of preference and the request
// without them. Header names are lower-case; `query` is without its question mark.
function candidates(path, query, headers) {
    const inQuery = pairs(query, '&', 'cat');
    const inPath = segment(path);
    const inCookie = pairs(headers.cookie || '', ';', NAME);
    const sources = {
        header: (headers[NAME] || '').split(',').map((item) => item.split(';')[0].trim()),
        query: inQuery.found, path: inPath.found, cookie: inCookie.found
    };
    const tokens = [];
    Object.keys(sources).forEach((source) => sources[source].forEach((token) => {
        if (token && !tokens.some((other) => other.token === token)) {
            tokens.push({ token: token, source: source });
        }
    }));
    return {
        tokens: tokens.slice(0, table.LIMITS.candidates), path: inPath.rest, query: inQuery.rest,
        cookie: inCookie.rest
    };
}

// The values of one name, any case, and the text without those pairs; other bytes and their order stay.
function pairs(whole, separator, name) {
    const found = [];
    const kept = whole.split(separator).filter((pair) => {
        const at = pair.indexOf('=');
        const isOther = (at < 0 ? pair : pair.slice(0, at)).trim().toLowerCase() !== name;
        if (!isOther) {
            found.push(at < 0 ? '' : pair.slice(at + 1).trim());
        }
        return isOther;
    });
    return { found: found, rest: found.length ? kept.join(separator).replace(/^ +/, '') : whole };
}

function segment(path) {
    const form = /^\/cat(?::|%3[Aa])([^\/]*)/.exec(path);
    if (form) {
        return { found: [form[1]], rest: path.slice(form[0].length) || '/' };
    }
    const end = path.indexOf('/', 1);
    return end > 0 && looksLikeToken(path.slice(1, end))
        ? { found: [path.slice(1, end)], rest: path.slice(end) } : { found: [], rest: path };
}

function looksLikeToken(name) {
    const bytes = name.length > BARE_SEGMENT_CHARS && name.length <= table.LIMITS.encoded_chars
        ? text.fromText(name) : null;
    return bytes !== null && (bytes[0] >= 0xd0 && bytes[0] <= 0xd2 || bytes[0] === 0xd8 && bytes[1] === 0x3d);
}

export default { NAME: NAME, candidates: candidates };
