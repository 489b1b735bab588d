// Forms of the claims that CloudFront's documentation invented (CAT-62); none is evaluated here.

import network from './network.js';
import table from './claims.generated.js';

const PARTS = 3;
const MATCHES = 3;
const LIMITS = table.LIMITS;

// The values of a map whose keys are 1..most, as numbers or decimal text, each once; else null.
function valuesOf(value, most) {
    if (value === null || !Array.isArray(value.keys)) {
        return null;
    }
    const keys = value.keys.map((key) => typeof key === 'string' && /^[0-9]{1,4}$/.test(key) ? Number(key) : key);
    return keys.every((key, at) => keys.indexOf(key) === at && (most === 0 || (key >= 1 && key <= most)))
        ? value.values : null;
}

const isSome = (item) => typeof item === 'string' && item !== '';

function isTexts(value) {
    return Array.isArray(value)
        ? value.length >= 1 && value.length <= LIMITS.list_items && value.every(isSome) : isSome(value);
}

function isMatches(value) {
    const found = valuesOf(value, MATCHES);
    return found !== null && found.length > 0 && found.every(isTexts);
}

function isUri(value) {
    const found = valuesOf(value, PARTS);
    return found !== null && found.length > 0 && found.every(isMatches);
}

function isNetwork(text) {
    if (typeof text !== 'string' || !/^[0-9A-Fa-f:.]+(?:\/(?:0|[1-9][0-9]{0,2}))?$/.test(text)) {
        return false;
    }
    const halves = text.split('/');
    const bytes = network.address(halves[0]);
    if (bytes === null) {
        return false;
    }
    const wide = halves[0].indexOf(':') >= 0;
    const all = wide && bytes.length === 4 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255].concat(bytes) : bytes;
    const length = halves.length === 2 ? Number(halves[1]) : 8 * all.length;
    return length <= 8 * all.length && all.every((octet, at) =>
        (octet & (255 >> Math.max(0, Math.min(8, length - 8 * at)))) === 0);
}

function isNetworks(value) {
    return Array.isArray(value) && value.length >= 1 && value.length <= LIMITS.array_items
        && value.every(isNetwork);
}

export default { isUri: isUri, isNetworks: isNetworks, valuesOf: valuesOf };
