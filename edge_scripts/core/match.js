// Match types of catu and cath (CAT-40). SHA-512/256 is not evaluated here: these platforms lack it (E-11).

import cbor from './cbor.js';
import ere from './ere.js';
import nfa from './nfa.js';
import table from './claims.generated.js';
import text from './text.js';

const isText = (value) => typeof value === 'string';
const isSomeText = (value) => typeof value === 'string' && value !== '';
const isHash = (value) => value instanceof Uint8Array && value.length === 32;
const isRegex = (value) => Array.isArray(value) && value.length > 0
    && value.length <= 1 + table.LIMITS.regex_groups && typeof value[0] === 'string'
    && text.toUtf8(value[0]).length <= table.LIMITS.regex_bytes
    && value.slice(1).every((group) => group === null || typeof group === 'string')
    && ere.read(value[0]) !== null;

const SHAPES = {
    exact: isText, prefix: isSomeText, suffix: isSomeText, contains: isSomeText,
    regex: isRegex, sha256: isHash, sha512_256: isHash
};

const JUDGES = {
    exact: (value, texts) => texts.indexOf(value) >= 0,
    prefix: (value, texts) => texts[0].slice(0, value.length) === value,
    suffix: (value, texts) => texts[0].length >= value.length
        && texts[0].slice(texts[0].length - value.length) === value,
    contains: (value, texts) => texts[0].indexOf(value) >= 0,
    regex: (value, texts) => nfa.search(value[0], texts[0], value.slice(1)),
    sha256: (value, texts, host) => text.sameBytes(host.sha256(text.toUtf8(texts[0])), value),
    sha512_256: () => null
};

function nameOf(number) {
    return typeof number === 'number' ? table.MATCHES[number] : undefined;
}

function wellFormed(matches) {
    return cbor.isMap(matches) && matches.keys.length > 0 && matches.keys.every((number, at) => {
        const name = nameOf(number);
        return name !== undefined && SHAPES[name](matches.values[at]);
    });
}

// Three-valued and of all match types; null is "cannot be evaluated here".
function holds(matches, texts, fold, host) {
    if (text.toUtf8(texts[0]).length > table.LIMITS.subject_bytes) {
        return false;
    }
    const answers = matches.keys.map((number, at) => {
        const value = matches.values[at];
        const folded = fold && typeof value === 'string' ? value.toLowerCase() : value;
        return JUDGES[nameOf(number)](folded, texts, host);
    });
    return all(answers);
}

// Kleene's and, or, not.
function all(answers) {
    return answers.indexOf(false) >= 0 ? false : answers.indexOf(null) >= 0 ? null : true;
}

function any(answers) {
    return answers.indexOf(true) >= 0 ? true : answers.indexOf(null) >= 0 ? null : false;
}

function not(answer) {
    return answer === null ? null : !answer;
}

export default { wellFormed: wellFormed, holds: holds, all: all, any: any, not: not };
