// The viewer's URI: token removed, normal form, components (CAT-41..CAT-43).

import table from './claims.generated.js';
import transport from './transport.js';

const URI = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^\/?#]*)([^?#]*)(?:\?([^#]*))?$/;
const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=-]+)(?::([0-9]{0,5}))?$/;
const LEGAL = /^(?:[!$&-;=?-Z_a-z~|\[\]^`{}"<>]|%[0-9A-Fa-f]{2})*$/;
const UNRESERVED = /[\w.~-]/;
const PORTS = { 'http': '80', 'https': '443' };

// The parts of the normal URI, token removed, or null when it has no safe normal form (CAT-42).
function parse(uri) {
    const parts = URI.exec(uri);
    const bare = parts && transport.candidates(parts[3], parts[4] || '', {});
    return parts && fromParts(parts[1], parts[2], bare.path, bare.query);
}

function fromParts(scheme, place, rawPath, rawQuery) {
    const authority = AUTHORITY.exec(place), path = normalPath(rawPath), query = normalEscapes(rawQuery);
    if (!authority || path === null || query === null) {
        return null;
    }
    const lower = scheme.toLowerCase(), port = authority[2] || PORTS[lower] || '';
    return {
        scheme: lower, host: authority[1].toLowerCase().replace(/\.$/, ''), port: port && '' + parseInt(port, 10),
        path: path, query: query
    };
}

function normalEscapes(raw) {
    if (!LEGAL.test(raw)) {
        return null;
    }
    const normal = raw.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
        const char = String.fromCharCode(parseInt(escape.slice(1), 16));
        return UNRESERVED.test(char) ? char : escape.toUpperCase();
    });
    return normal.indexOf('%00') < 0 ? normal : null;
}

function normalPath(raw) {
    const path = normalEscapes(raw);
    if (path === null || /%(?:2F|5C)/.test(path) || (path && path.charAt(0) !== '/')) {
        return null;
    }
    const kept = [];
    const segments = path.split('/').slice(1);
    segments.forEach((segment, index) => {
        const isDot = segment === '.' || segment === '..';
        if (segment === '..') {
            kept.pop();
        } else if (!isDot) {
            kept.push(segment);
        }
        if (isDot && index === segments.length - 1) {
            kept.push('');
        }
    });
    return kept.length ? '/' + kept.join('/') : '/';
}

// The text of a component, then others that `exact` takes as equal.
function component(uri, number, profile) {
    const slash = uri.path.lastIndexOf('/');
    const parent = uri.path.slice(0, slash);
    const filename = uri.path.slice(slash + 1);
    const dot = filename.lastIndexOf('.');
    const names = {
        port: PORTS[uri.scheme] === uri.port ? [uri.port, ''] : [uri.port],
        parent_path: profile.parent_slash ? [parent + '/'] : parent ? [parent] : ['', '/'],
        filename: [filename],
        stem: [dot < 0 ? filename : filename.slice(0, dot)],
        extension: [dot < 0 ? '' : filename.slice(profile.extension_dot ? dot : dot + 1)]
    };
    const name = table.COMPONENTS[number];
    return names[name] || [uri[name]];
}

export default { parse: parse, fromParts: fromParts, normalPath: normalPath, component: component };
