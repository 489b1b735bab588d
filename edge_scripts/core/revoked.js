// By which claim a token is revoked (E-50): exact items of the store and, where the store has one, a filter that
// spares reading them.

import filters from './filter.js';
import text from './text.js';

const FILTER = 'revoked-filter', MAX_AGE_S = 3600;
const KINDS = [
    { name: 'cti', of: (opened) => opened.cti, item: (id) => 'revoked:' + (typeof id === 'string' ? id : text.toHex(id)) },
    {
        name: 'sub', of: (opened) => opened.sub,
        item: (sub, host) => 'revoked-sub:' + text.toHex(host.sha256(text.toUtf8(sub))).slice(0, 32)
    },
    { name: 'kid', of: (opened) => opened.key.kid, item: (kid) => 'revoked-kid:' + kid }
];

// The claim's name, else null.
async function by(opened, now, host) {
    const filter = await filterOf(now, host);
    for (let i = 0; i < KINDS.length; i++) {
        const kind = KINDS[i], value = kind.of(opened);
        if (mayBeListed(filter, kind.name, value, host) && await host.get(kind.item(value, host)) !== null) {
            return kind.name;
        }
    }
    return filter && filters.isTooEarly(filter, opened.claims) ? 'iss' : null;
}

// Ids that are texts are in the exact list only.
function mayBeListed(filter, kind, value, host) {
    return value !== undefined
        && (!filter || kind === 'cti' && typeof value === 'string' || filters.suspects(filter, kind, value, host));
}

// A filter that is old or not one of ours spares nothing.
async function filterOf(now, host) {
    const held = await host.get(FILTER);
    try {
        return held === null ? null : filters.open(held, now - MAX_AGE_S);
    } catch (error) {
        return null;
    }
}

export default { by: by };
