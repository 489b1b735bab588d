// RSASSA-PSS with SHA-256 and 32 bytes of salt (RFC 8017, 8.1.2 and 9.1.2) on BigInt: Compute's WebCrypto has no
// RSA-PSS. Only verification, so nothing here is secret and nothing needs constant time.

import hashes from '../core/sha256.js';
import text from '../core/text.js';

const HASH_BYTES = 32, MIN_BITS = 2048, MAX_BITS = 8192, TRAILER = 0xbc;

const numberOf = (bytes) => BigInt('0x' + (text.toHex(bytes) || '0'));

function power(base, exponent, modulus) {
    const bits = exponent.toString(2);
    let result = BigInt(1);
    for (let i = 0; i < bits.length; i++) {
        result = result * result % modulus;
        if (bits.charAt(i) === '1') {
            result = result * base % modulus;
        }
    }
    return result;
}

function bytesOf(number, length) {
    const hex = number.toString(16).padStart(2 * length, '0');
    return hex.length > 2 * length ? null
        : new Uint8Array(hex.match(/../g).map((octet) => parseInt(octet, 16)));
}

function mask(seed, length) {
    const out = new Uint8Array(length + HASH_BYTES);
    for (let count = 0; count * HASH_BYTES < length; count++) {
        const block = new Uint8Array(seed.length + 4);
        block.set(seed);
        new DataView(block.buffer).setUint32(seed.length, count);
        out.set(hashes.sha256(block), count * HASH_BYTES);
    }
    return out.subarray(0, length);
}

// EMSA-PSS-VERIFY of a message's hash, `bits` being one less than the modulus has.
function encodes(encoded, digest, bits) {
    const size = encoded.length, top = 0xff >> 8 * size - bits;
    const salted = size - HASH_BYTES - 1;
    if (salted < HASH_BYTES + 1 || encoded[size - 1] !== TRAILER || (encoded[0] & ~top) !== 0) {
        return false;
    }
    const seed = encoded.subarray(salted, size - 1);
    const block = mask(seed, salted).map((octet, at) => octet ^ encoded[at]);
    block[0] &= top;
    const head = salted - HASH_BYTES - 1;
    if (block[head] !== 1 || block.subarray(0, head).some((octet) => octet !== 0)) {
        return false;
    }
    const whole = new Uint8Array(8 + 2 * HASH_BYTES);
    whole.set(digest, 8);
    whole.set(block.subarray(head + 1), 8 + HASH_BYTES);
    return text.sameBytes(hashes.sha256(whole), seed);
}

// Whether a seal is the key's over these bytes. `key` is a JWK with n and e.
function holds(key, data, seal) {
    const modulusBytes = text.fromText(key.n || ''), exponentBytes = text.fromText(key.e || '');
    if (modulusBytes === null || exponentBytes === null) {
        return false;
    }
    const modulus = numberOf(modulusBytes), exponent = numberOf(exponentBytes), number = numberOf(seal);
    const bits = modulus.toString(2).length;
    if (bits < MIN_BITS || bits > MAX_BITS || seal.length !== Math.ceil(bits / 8) || number >= modulus
        || exponent < BigInt(3) || exponent % BigInt(2) !== BigInt(1)) {
        return false;
    }
    const encoded = bytesOf(power(number, exponent, modulus), Math.ceil((bits - 1) / 8));
    return encoded !== null && encodes(encoded, hashes.sha256(data), bits - 1);
}

export default { holds: holds };
