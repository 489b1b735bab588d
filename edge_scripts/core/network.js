// catnip entries (CAT-45; RFC 9164). An address is its bytes, 4 or 16 of them.

import cbor from './cbor.js';

const FAMILY_BYTES = { 52: 4, 54: 16 };

function ipv4(text) {
    const parts = text.split('.');
    const octets = parts.map((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) ? parseInt(part, 10) : 256);
    return octets.length === 4 && octets.every((octet) => octet < 256) ? octets : null;
}

function groups(text) {
    const bytes = [];
    const words = text === '' ? [] : text.split(':');
    for (let i = 0; i < words.length; i++) {
        const tail = i === words.length - 1 && words[i].indexOf('.') >= 0 ? ipv4(words[i]) : null;
        if (tail) {
            return bytes.concat(tail);
        }
        if (!/^[0-9A-Fa-f]{1,4}$/.test(words[i])) {
            return null;
        }
        const word = parseInt(words[i], 16);
        bytes.push(word >> 8, word & 255);
    }
    return bytes;
}

// Bytes of an address, or null; an IPv4-mapped IPv6 address compares as IPv4.
function address(text) {
    if (text.indexOf(':') < 0) {
        return ipv4(text);
    }
    const halves = text.split('::');
    const head = groups(halves[0]);
    const tail = halves.length === 2 ? groups(halves[1]) : [];
    if (halves.length > 2 || head === null || tail === null) {
        return null;
    }
    const missing = 16 - head.length - tail.length;
    if (halves.length === 2 ? missing < 2 : missing !== 0) {
        return null;
    }
    const bytes = head.concat(new Array(missing).fill(0), tail);
    const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
    return isMapped ? bytes.slice(12) : bytes;
}

const isAsn = (value) => typeof value === 'number' && value >= 0 && value <= 0xffffffff;

// A test (address, asn) -> true, false or null; null instead of a test when the entry is malformed.
function entry(value) {
    if (value !== null && value.tag !== undefined) {
        return prefix(value);
    }
    const range = Array.isArray(value) && value.length === 2 ? value : [value, value];
    if (!isAsn(range[0]) || !isAsn(range[1]) || range[0] > range[1]) {
        return null;
    }
    return (client, asn) => asn !== null && range[0] <= asn && asn <= range[1];
}

function prefix(tagged) {
    const size = FAMILY_BYTES[tagged.tag];
    const pair = size === undefined ? null : lengthAndBytes(tagged.value, size);
    if (pair === null || typeof pair[0] !== 'number' || !(pair[1] instanceof Uint8Array)) {
        return null;
    }
    const length = pair[0];
    if (length < 0 || length > 8 * size || pair[1].length > size) {
        return null;
    }
    const network = new Array(size).fill(0).map((zero, i) => i < pair[1].length ? pair[1][i] : zero);
    if (network.some((octet, i) => (octet & 255 & ~maskOf(length, i)) !== 0)) {
        return null;
    }
    return (client) => client === null ? null : client.length === size
        && network.every((octet, i) => octet === (client[i] & maskOf(length, i)));
}

function maskOf(length, index) {
    const bits = Math.max(0, Math.min(8, length - 8 * index));
    return 0xff00 >> bits & 255;
}

function lengthAndBytes(value, size) {
    if (value instanceof Uint8Array) {
        return value.length === size ? [8 * size, value] : null;
    }
    if (Array.isArray(value)) {
        return value.length === 2 ? value : null;
    }
    return cbor.isMap(value) && value.keys.length === 1 ? [value.keys[0], value.values[0]] : null;
}

export default { address: address, entry: entry };
