// Regular expressions searched without backtracking (CAT-44): all ways through the pattern at once, in order of
// preference, one step a character. Leftmost-longest; of the ways to divide the longest match among groups the one
// that a greedy search would find first, which is POSIX's where the pattern is settled.

import ere from './ere.js';

const MAX_STEPS = 100000; // of a search; a longer one is not evaluated here (E-30: CPU is short)
const MAX_PROGRAM = 1024;

// Whether the pattern occurs in the subject with these texts in its groups (null: any); null where that cannot be told.
function search(pattern, subject, wanted) {
    const found = ere.read(pattern), program = [];
    if (!compile(found.tree, program)) {
        return null;
    }
    program.push({ op: 'match' });
    const match = run(program, subject);
    if (match === null || match === false) {
        return match;
    }
    const isAsked = (text) => text !== null;
    if (wanted.slice(found.groups).some(isAsked)) {
        return false;
    }
    if (wanted.some(isAsked) && !found.tree.settled) {
        return null;
    }
    return wanted.every((text, at) => text === null || groupOf(subject, match, at + 1) === text);
}

function groupOf(subject, match, number) {
    const from = match[2 * number], to = match[2 * number + 1];
    return from === undefined || to === undefined ? undefined : subject.slice(from, to);
}

// Append a node's instructions; false when the program grows too large.
function compile(node, program) {
    if (program.length > MAX_PROGRAM) {
        return false;
    }
    return WRITERS[node.kind](node, program);
}

const WRITERS = {
    chars: (node, program) => program.push({ op: 'chars', chars: node.chars, isNegated: node.isNegated }) > 0,
    begin: (node, program) => program.push({ op: 'begin' }) > 0,
    end: (node, program) => program.push({ op: 'end' }) > 0,
    all: (node, program) => node.parts.every((part) => compile(part, program)),
    group: (node, program) => {
        program.push({ op: 'save', slot: 2 * node.number });
        const fits = compile(node.inner, program);
        program.push({ op: 'save', slot: 2 * node.number + 1 });
        return fits;
    },
    either: (node, program) => {
        const jumps = [];
        const fits = node.parts.every((part, at) => {
            const split = { op: 'split', first: program.length + 1, second: 0 };
            if (at < node.parts.length - 1) {
                program.push(split);
            }
            const inner = compile(part, program);
            if (at < node.parts.length - 1) {
                jumps.push({ op: 'jump', to: 0 });
                program.push(jumps[jumps.length - 1]);
                split.second = program.length;
            }
            return inner;
        });
        jumps.forEach((jump) => {
            jump.to = program.length;
        });
        return fits;
    },
    repeat: (node, program) => {
        const splits = [];
        for (let i = 0; i < node.low; i++) {
            if (!compile(node.inner, program)) {
                return false;
            }
        }
        const start = program.length, optional = node.high === Infinity ? 1 : node.high - node.low;
        for (let i = 0; i < optional; i++) {
            splits.push({ op: 'split', first: program.length + 1, second: 0 });
            program.push(splits[i]);
            if (!compile(node.inner, program)) {
                return false;
            }
        }
        if (node.high === Infinity) {
            program.push({ op: 'jump', to: start });
        }
        splits.forEach((split) => {
            split.second = program.length;
        });
        return true;
    }
};

// The slots of the leftmost-longest match, false where there is none, null where the search is too long.
function run(program, subject) {
    const search = { program: program, subject: subject, threads: [], best: false, steps: 0 };
    for (let at = 0; at <= subject.length;) {
        at += step(search, at);
        if (search.steps > MAX_STEPS) {
            return null;
        }
        if (search.best && !search.threads.length) {
            return search.best;
        }
    }
    return search.best;
}

// All threads over the character at `at`, and a new one where nothing matched so far; the character's length.
function step(search, at) {
    const program = search.program, end = search.subject.length;
    const char = at < end ? String.fromCodePoint(search.subject.codePointAt(at)) : '';
    const here = { seen: [], threads: [] }, passed = [];
    search.threads.forEach((thread) => enter(program, here, thread.at, thread.slots, at, end));
    if (!search.best) {
        enter(program, here, 0, [at], at, end);
    }
    here.threads.forEach((thread) => {
        const now = program[thread.at], best = search.best;
        if (now.op !== 'match') {
            if (char && (now.chars.indexOf(char) >= 0) !== now.isNegated) {
                passed.push({ at: thread.at + 1, slots: thread.slots });
            }
        } else if (!best || at > best[1]) {
            search.best = Object.assign([], thread.slots, { 1: at });
        }
    });
    search.threads = search.best ? passed.filter((thread) => thread.slots[0] === search.best[0]) : passed;
    search.steps += here.threads.length + 1;
    return char.length || 1;
}

// Follow what needs no character, each instruction once: who comes first is preferred.
function enter(program, here, start, slots, at, end) {
    const waiting = [[start, slots]];
    while (waiting.length) {
        const one = waiting.pop(), number = one[0], held = one[1], step = program[number];
        if (here.seen[number]) {
            continue;
        }
        here.seen[number] = true;
        if (step.op === 'jump') {
            waiting.push([step.to, held]);
        } else if (step.op === 'split') {
            waiting.push([step.second, held], [step.first, held]);
        } else if (step.op === 'save') {
            const saved = held.slice();
            saved[step.slot] = at;
            waiting.push([number + 1, saved]);
        } else if (step.op !== 'begin' && step.op !== 'end') {
            here.threads.push({ at: number, slots: held });
        } else if (at === (step.op === 'begin' ? 0 : end)) {
            waiting.push([number + 1, held]);
        }
    }
}

export default { search: search };
