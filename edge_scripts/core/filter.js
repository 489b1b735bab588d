// A filter of what is revoked, as cat/revocation.py writes it, in base64url: read in place, as decoding a quarter of
// a megabyte would take longer than the verdict. It says "maybe" or "no"; the exact list has the last word (E-50).
//
// Bytes: 5 magic, hashes, 2 unused, made at (double), bits (64), the table, then {issuer: epoch seconds} in CBOR.

import cbor from './cbor.js';
import text from './text.js';

const MAGIC = '4857525601', HEAD_BYTES = 24, MAX_HASHES = 30, MAX_BITS = 0x80000000;
const ISS = 1, IAT = 6;

// {held, hashes, bits, lines}, or null where it is none of ours or older than `oldest`. Throws
// where it is cut short.
function open(held, oldest) {
    const head = text.fromText(held.slice(0, HEAD_BYTES / 3 * 4));
    if (head === null || head.length !== HEAD_BYTES || text.toHex(head.subarray(0, 5)) !== MAGIC) {
        return null;
    }
    const view = new DataView(head.buffer);
    const bits = view.getUint32(16) * 0x100000000 + view.getUint32(20);
    const end = HEAD_BYTES + Math.ceil(bits / 8);
    if (!(view.getFloat64(8) > oldest) || head[5] < 1 || head[5] > MAX_HASHES || bits < 1 || bits > MAX_BITS) {
        return null;
    }
    const tail = text.fromText(held.slice(Math.floor(end / 3) * 4));
    const lines = tail === null ? null : cbor.decode(tail.subarray(end % 3));
    return cbor.isMap(lines) ? { held: held, hashes: head[5], bits: bits, lines: lines } : null;
}

// Whether an entry may be in it. Kirsch and Mitzenmacher 2006: two halves of the name make all hashes.
function suspects(filter, kind, value, host) {
    const name = host.sha256(cbor.encode([kind, value])).slice(0, 16);
    name[15] |= 1;
    const first = residue(name.slice(0, 8), filter.bits), step = residue(name.slice(8), filter.bits);
    for (let i = 0; i < filter.hashes; i++) {
        const place = (first + i * step) % filter.bits;
        if (!(byteAt(filter.held, HEAD_BYTES + Math.floor(place / 8)) & 1 << place % 8)) {
            return false;
        }
    }
    return true;
}

// There are no 64-bit ints here (E-11): below 2^31 a residue times 256 is exact.
const residue = (bytes, modulus) => bytes.reduce((rest, octet) => (rest * 256 + octet) % modulus, 0);

function byteAt(held, at) {
    const group = Math.floor(at / 3) * 4;
    return text.fromText(held.slice(group, group + 4))[at % 3];
}

// Issued by this issuer before its line, or who knows when.
function isTooEarly(filter, claims) {
    const line = cbor.get(filter.lines, cbor.get(claims, ISS));
    const at = cbor.get(claims, IAT);
    return line !== undefined && !(numberOf(at) >= numberOf(line));
}

const numberOf = (value) => typeof value === 'number' ? value : value && value.float;

export default { open: open, suspects: suspects, isTooEarly: isTooEarly };
