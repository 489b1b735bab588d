// @eyevinn/cat as a judge: cases, one JSON a line, in; {accept, why} out, in order.

const fs = require('node:fs');
const { CAT } = require('@eyevinn/cat');

async function judge(one) {
    Date.now = () => one.now * 1000;
    const keys = { HS256: Buffer.from(one.key, 'hex') };
    try {
        const found = await new CAT({ keys: keys }).validate(one.token, 'mac', {
            issuer: one.issuer, audience: one.audience, url: new URL(one.url), ip: one.ip, asn: one.asn
        });
        return { accept: found.error === undefined, why: found.error ? found.error.constructor.name : null };
    } catch (error) {
        return { accept: false, why: error.constructor.name };
    }
}

// What it rejects without being awaited is not a verdict.
process.on('unhandledRejection', () => {});

(async () => {
    for (const line of fs.readFileSync(process.argv[2], 'utf8').split('\n').filter((text) => text)) {
        process.stdout.write(JSON.stringify(await judge(JSON.parse(line))) + '\n');
    }
})();
