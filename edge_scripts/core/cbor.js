// Bounded strict CBOR (RFC 8949; CAT-5, CAT-11). Ints are numbers, floats {float}, ints beyond 2^53
// {big}, tags {tag, value}, maps {keys, values, pairs} (pairs as bytes); texts, bytes, arrays, booleans and null are themselves.

import table from './claims.generated.js';
import text from './text.js';

const LIMITS = table.LIMITS;

function CborError(detail) {
    return new Error('cbor: ' + detail);
}

// The one item that `data` holds. Throws on anything else.
function decode(data) {
    const reader = { data: data, at: 0, items: 0 };
    const value = item(reader, 0);
    if (reader.at !== data.length) {
        throw CborError('trailing bytes');
    }
    return value;
}

function take(reader, size) {
    if (size > reader.data.length - reader.at) {
        throw CborError('declared length is beyond the end');
    }
    reader.at += size;
    return reader.data.subarray(reader.at - size, reader.at);
}

// The number behind a head, as {high, low} halves of 32 bits: there are no 64-bit ints here (E-11).
function argument(reader, info) {
    if (info < 24) {
        return { high: 0, low: info };
    }
    if (info > 27) {
        throw CborError('indefinite or reserved length');
    }
    const bytes = take(reader, 1 << info - 24);
    let high = 0, low = 0;
    for (let i = 0; i < bytes.length; i++) {
        if (bytes.length - i > 4) {
            high = high * 256 + bytes[i];
        } else {
            low = low * 256 + bytes[i];
        }
    }
    const least = [24, 0x100, 0x10000][info - 24];
    if (info === 27 ? high === 0 : low < least) {
        throw CborError('not the shortest form');
    }
    return { high: high, low: low };
}

function item(reader, depth) {
    reader.items++;
    if (depth > LIMITS.depth || reader.items > LIMITS.items) {
        throw CborError('too deep or too many items');
    }
    const head = take(reader, 1)[0];
    const major = head >> 5;
    if (major === 7) {
        return simple(reader, head & 31);
    }
    const count = argument(reader, head & 31);
    if (major < 2) {
        return integer(count, major);
    }
    const size = count.high === 0 ? count.low : Infinity;
    if (major === 2) {
        return take(reader, size);
    }
    if (major === 3) {
        return string(reader, size);
    }
    if (major === 4) {
        return array(reader, size, depth);
    }
    if (major === 5) {
        return map(reader, size, depth);
    }
    return { tag: size, value: item(reader, depth + 1) };
}

function integer(count, negative) {
    if (count.high >= 0x200000 && (negative || count.high > 0x200000 || count.low > 0)) {
        return { big: (negative ? '-' : '') + count.high + ':' + count.low };
    }
    const value = count.high * 0x100000000 + count.low;
    return negative ? -1 - value : value;
}

function string(reader, size) {
    if (size > LIMITS.text_bytes) {
        throw CborError('text too long');
    }
    return text.fromUtf8(take(reader, size));
}

function array(reader, count, depth) {
    if (count > LIMITS.array_items || count > reader.data.length - reader.at) {
        throw CborError('array too long');
    }
    const items = [];
    for (let i = 0; i < count; i++) {
        items.push(item(reader, depth + 1));
    }
    return items;
}

function map(reader, count, depth) {
    if (count > LIMITS.map_pairs || count > (reader.data.length - reader.at) / 2) {
        throw CborError('map too long');
    }
    const result = { keys: [], values: [], pairs: [] };
    const seen = Object.create(null);
    for (let i = 0; i < count; i++) {
        const start = reader.at;
        const key = item(reader, depth + 1);
        const name = keyName(key);
        if (name === null || seen[name]) {
            throw CborError('map key is doubled or of a kind that labels nothing');
        }
        seen[name] = true;
        result.keys.push(key);
        result.values.push(item(reader, depth + 1));
        result.pairs.push(reader.data.subarray(start, reader.at));
    }
    return result;
}

function scalarName(key) {
    if (typeof key === 'number') {
        return 'i' + key;
    }
    if (typeof key === 'string') {
        return 't' + key.length + ':' + key;
    }
    if (key instanceof Uint8Array) {
        return 'b' + Array.prototype.join.call(key, ',');
    }
    return key !== null && key.big !== undefined ? 'g' + key.big : null;
}

function keyName(key) {
    if (!Array.isArray(key)) {
        return scalarName(key);
    }
    const names = key.map(scalarName);
    return names.indexOf(null) < 0 ? 'a' + names.join(';') : null;
}

function simple(reader, info) {
    if (info >= 20 && info <= 22) {
        return [false, true, null][info - 20];
    }
    if (info < 25 || info > 27) {
        throw CborError('reserved or unassigned simple value');
    }
    const bytes = take(reader, 1 << info - 24);
    const view = new DataView(new ArrayBuffer(8));
    bytes.forEach((octet, at) => view.setUint8(at, octet)); // njs 0.7.9 copies a subarray from its buffer's start
    const value = info === 25 ? half(bytes) : info === 26 ? view.getFloat32(0) : view.getFloat64(0);
    if (!isFinite(value) || (value === 0 && 1 / value < 0)) {
        throw CborError('not a finite number, or negative zero');
    }
    if (info > 25 && fitsHalf(value) || info === 27 && fitsSingle(value)) {
        throw CborError('float is not in its shortest form');
    }
    return { float: value };
}

function half(bytes) {
    const exponent = bytes[0] >> 2 & 31;
    const fraction = (bytes[0] & 3) * 256 + bytes[1];
    const sign = bytes[0] & 128 ? -1 : 1;
    if (exponent === 31) {
        return NaN;
    }
    return sign * (exponent === 0 ? fraction * Math.pow(2, -24)
        : (1024 + fraction) * Math.pow(2, exponent - 25));
}

function fitsHalf(value) {
    const size = Math.abs(value);
    if (size > 65504) {
        return false;
    }
    let step = Math.pow(2, -24);
    for (let limit = Math.pow(2, -13); size >= limit; limit *= 2) {
        step *= 2;
    }
    return size % step === 0;
}

function fitsSingle(value) {
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, value);
    return view.getFloat32(0) === value;
}

// The deterministic form of byte strings, texts, uints below 2^53 and arrays of them.
function encode(value) {
    if (typeof value === 'number') {
        return headOf(0, value);
    }
    if (Array.isArray(value)) {
        return join([headOf(4, value.length)].concat(value.map(encode)));
    }
    const bytes = typeof value === 'string' ? text.toUtf8(value) : value;
    return join([headOf(typeof value === 'string' ? 3 : 2, bytes.length), bytes]);
}

function headOf(major, size) {
    const info = size < 24 ? -1 : size < 0x100 ? 0 : size < 0x10000 ? 1 : size < 0x100000000 ? 2 : 3;
    const head = [major << 5 | (info < 0 ? size : 24 + info)];
    for (let i = info < 0 ? -1 : (1 << info) - 1; i >= 0; i--) {
        head.push(Math.floor(size / Math.pow(256, i)) % 256);
    }
    return new Uint8Array(head);
}

// A map of encoded pairs, sorted by their keys (RFC 8949, 4.2.1): no key is the beginning of another.
function encodeMap(pairs) {
    const named = pairs.map((pair) => ({ name: text.toHex(pair), pair: pair }));
    named.sort((a, b) => a.name < b.name ? -1 : 1);
    return join([headOf(5, pairs.length)].concat(named.map((item) => item.pair)));
}

function join(chunks) {
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const all = new Uint8Array(size);
    let at = 0;
    chunks.forEach((chunk) => {
        all.set(chunk, at);
        at += chunk.length;
    });
    return all;
}

function isMap(value) {
    return value !== null && typeof value === 'object' && Array.isArray(value.keys)
        && Array.isArray(value.values);
}

// The value of a key in a decoded map, or undefined.
function get(map, key) {
    const at = map.keys.indexOf(key);
    return at < 0 ? undefined : map.values[at];
}

export default { decode: decode, encode: encode, encodeMap: encodeMap, join: join, isMap: isMap, get: get };
