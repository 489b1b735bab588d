// The transport text of a token: strict base64url, padding optional (CAT-9).

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

// Bytes of a base64url text, or null: foreign characters, wrong length, non-zero trailing bits.
function fromText(text) {
    const bare = text.replace(/=+$/, '');
    const padding = text.length - bare.length;
    if (bare.length % 4 === 1 || (padding !== 0 && padding !== (4 - bare.length % 4) % 4)) {
        return null;
    }
    const bytes = new Uint8Array(Math.floor(bare.length * 3 / 4));
    let held = 0, bits = 0, at = 0;
    for (let i = 0; i < bare.length; i++) {
        const digit = ALPHABET.indexOf(bare.charAt(i));
        if (digit < 0) {
            return null;
        }
        held = (held << 6 | digit) & 0xfff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[at++] = held >> bits & 0xff;
        }
    }
    return (held & (1 << bits) - 1) === 0 ? bytes : null;
}

function toText(bytes) {
    let text = '';
    for (let i = 0; i < bytes.length; i += 3) {
        const some = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
        for (let digit = 0; digit <= Math.min(3, bytes.length - i); digit++) {
            text += ALPHABET.charAt(some >> 18 - 6 * digit & 63);
        }
    }
    return text;
}

function toHex(bytes) {
    return Array.prototype.map.call(bytes, (octet) => (octet < 16 ? '0' : '') + octet.toString(16)).join('');
}

// Strict UTF-8: decodeURIComponent refuses overlong forms and surrogates. Throws URIError.
function fromUtf8(bytes) {
    return decodeURIComponent(toHex(bytes).replace(/../g, '%$&'));
}

function toUtf8(text) {
    const escaped = encodeURIComponent(text);
    const bytes = [];
    for (let i = 0; i < escaped.length; i++) {
        if (escaped.charAt(i) === '%') {
            bytes.push(parseInt(escaped.substr(i + 1, 2), 16));
            i += 2;
        } else {
            bytes.push(escaped.charCodeAt(i));
        }
    }
    return new Uint8Array(bytes);
}

function sameBytes(a, b) {
    let difference = a.length ^ b.length;
    for (let i = 0; i < a.length && i < b.length; i++) {
        difference |= a[i] ^ b[i];
    }
    return difference === 0;
}

export default { fromText: fromText, toText: toText, toHex: toHex, fromUtf8: fromUtf8, toUtf8: toUtf8, sameBytes: sameBytes };
