// The stand-in of E-29: a file of JSON cases, one a line, in; JSON verdicts on standard output.
// Runs alike in njs and in Node: `njs -q run.js FILE`, `node run.js FILE`.

import crypto from 'crypto';
import fs from 'fs';
import core from './verify.js';

const host = {
    hmac: (key, data) => crypto.createHmac('sha256', key).update(data).digest(),
    sha256: (data) => crypto.createHash('sha256').update(data).digest()
};

fs.readFileSync(process.argv[2], 'utf8').split('\n').forEach((line) => {
    if (line) {
        const test = JSON.parse(line);
        const verdict = core.verify(test.token, test.context, test.keys, test.profile, host);
        console.log(JSON.stringify({ accept: verdict.accept, reason: verdict.reason, claim: verdict.claim }));
    }
});
