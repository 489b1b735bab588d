// A CDN's script as a lasting process: messages, one JSON a line, in and out. `host.js` beside it is the platform's.
//
// {stores}                         what the platform's stores hold from now on
// {id, request}                    -> {id, answer, kept}: the script's answer, or what goes on to cache and origin
// {id, request, kept, response}    -> {id, headers}: fields of the answer on its way to the viewer
// -> {log}                         a line that the script logged

import readline from 'node:readline';
import { begin, finish, hold } from './host.js';

const tell = (message) => process.stdout.write(JSON.stringify(message) + '\n');

console.log = (line) => tell({ log: line });

async function done(message) {
    return message.response
        ? { headers: await finish(message.request, message.kept, message.response) } : await begin(message.request);
}

async function take(message) {
    if (message.stores) {
        hold(message.stores);
        return;
    }
    try {
        tell({ id: message.id, ...await done(message) });
    } catch (error) {
        tell({ id: message.id, error: String(error) });
    }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
    take(JSON.parse(line));
}
