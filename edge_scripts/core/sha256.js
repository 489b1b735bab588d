// SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) for hosts whose own are asynchronous.

const BLOCK_BYTES = 64;

// The first 32 bits of the fractional parts of roots of primes (FIPS 180-4, 4.2.2, 5.3.3).
function fractions(count, root) {
    const found = [];
    for (let n = 2; found.length < count; n++) {
        let divisor = 2;
        while (n % divisor !== 0) {
            divisor++;
        }
        if (divisor === n) {
            const power = Math.pow(n, 1 / root);
            found.push((power - Math.floor(power)) * 0x100000000 | 0);
        }
    }
    return found;
}

const ROUNDS = fractions(64, 3);
const START = fractions(8, 2);

const turn = (word, by) => word >>> by | word << 32 - by;

function sha256(data) {
    const size = Math.ceil((data.length + 9) / BLOCK_BYTES) * BLOCK_BYTES;
    const padded = new Uint8Array(size);
    padded.set(data);
    padded[data.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setUint32(size - 8, Math.floor(data.length / 0x20000000));
    view.setUint32(size - 4, data.length * 8 % 0x100000000);
    const state = START.slice();
    const words = new Int32Array(64);
    for (let at = 0; at < size; at += BLOCK_BYTES) {
        block(state, words, view, at);
    }
    const out = new DataView(new ArrayBuffer(32));
    state.forEach((word, index) => out.setInt32(4 * index, word));
    return new Uint8Array(out.buffer);
}

function block(state, words, view, at) {
    for (let i = 0; i < 64; i++) {
        if (i < 16) {
            words[i] = view.getInt32(at + 4 * i);
        } else {
            const a = words[i - 15], b = words[i - 2];
            words[i] = words[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >>> 3) + words[i - 7]
                + (turn(b, 17) ^ turn(b, 19) ^ b >>> 10) | 0;
        }
    }
    const s = state.slice();
    for (let i = 0; i < 64; i++) {
        const chosen = s[4] & s[5] ^ ~s[4] & s[6];
        const one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + chosen + ROUNDS[i] + words[i] | 0;
        const most = s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2];
        const two = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + most | 0;
        s.pop();
        s.unshift(one + two | 0);
        s[4] = s[4] + one | 0;
    }
    s.forEach((word, index) => {
        state[index] = state[index] + word | 0;
    });
}

function hmac(key, data) {
    const short = key.length > BLOCK_BYTES ? sha256(key) : key;
    const pad = (octet) => {
        const block = new Uint8Array(BLOCK_BYTES).fill(octet);
        short.forEach((byte, at) => {
            block[at] ^= byte;
        });
        return block;
    };
    return sha256(joined(pad(0x5c), sha256(joined(pad(0x36), data))));
}

function joined(a, b) {
    const all = new Uint8Array(a.length + b.length);
    all.set(a);
    all.set(b, a.length);
    return all;
}

export default { sha256: sha256, hmac: hmac };
