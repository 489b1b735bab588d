// `core/text.js` by CloudFront's Buffer: decoding is lenient there, so a text must come out as it went in.

function fromText(text) {
    const data = Buffer.from(text, 'base64url');
    return data.toString('base64url') === (text.length % 4 ? text : text.replace(/=+$/, '')) ? data : null;
}

const toUtf8 = (text) => Buffer.from(text);
const toHex = (bytes) => Buffer.from(bytes).toString('hex');
const sameBytes = (a, b) => toHex(a) === toHex(b);

export default { fromText: fromText, toUtf8: toUtf8, toHex: toHex, sameBytes: sameBytes };
