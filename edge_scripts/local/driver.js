// A stand-in in Node (E-25, E-26, E-29): cases, one JSON a line, in; `ANSWER` lines out. `host.js` is the platform's.

import fs from 'node:fs';
import { begin, finish, hold } from './host.js';

for (const line of fs.readFileSync(process.argv[2], 'utf8').split('\n').filter((one) => one)) {
    const test = JSON.parse(line);
    hold(test.stores, test.broken);
    Date.now = () => test.request.now * 1000;
    const before = process.cpuUsage();
    const { answer, kept } = await begin(test.request);
    const used = process.cpuUsage(before);
    if (answer.status === undefined) {
        answer.response = await finish(test.request, kept, test.response ? test.response.headers : {});
    }
    console.log('ANSWER ' + JSON.stringify({ ...answer, cpu_us: used.user + used.system }));
}
