// The envelope by CloudFront's own `cf.cwt`, which verifies HMACs and nothing else (E-5..E-8): every refusal of
// steps 2 to 5 is `signature` here. Labels come back as texts.

import cf from 'cloudfront';
import text from './text.js';

const LONGEST = 1024;

const parse = (data) => data.length > LONGEST ? { reason: 'too_large', step: 1 } : { data: data };

function believe(envelope, keys, now) {
    const key = keys.find((candidate) => {
        const isLive = candidate.alg === 'HS256' && !(candidate.nbf > now) && !(candidate.exp <= now);
        try {
            const token = isLive && cf.cwt.validateToken(envelope.data, { key: text.fromText(candidate.k) });
            const sealed = token.protectedHeaders, loose = token.unprotectedHeaders;
            const kid = sealed[4] || loose[4];
            envelope.claims = token.payload;
            return sealed[1] === 5 && !sealed[2] && (!kid || '' + Buffer.from(kid) === candidate.kid);
        } catch (error) {
            return false;
        }
    });
    return key ? { key: key } : { reason: 'signature', step: 5 };
}

export default { parse: parse, believe: believe };
