// POSIX extended regular expressions (IEEE 1003.1-2017, 9.4; CAT-44), read into a tree: the twin of `token/cat/ere.py`.
// What POSIX leaves undefined and Perl defines is ill-formed.
//
// A node is {kind, first, nullable, quantified, settled}: what it can begin with, whether it can be empty, whether it
// holds a quantifier, and whether its groups are the same by POSIX's rule and a search's.

const MAX_REPEAT = 255; // RE_DUP_MAX
const MAX_DEPTH = 32;
const SPECIAL = '\\^$.[]()|*+?{}';
const QUANTIFIERS = '*+?{';
const OTHER = 128; // stands for every character beyond ASCII

const span = (low, high) => {
    let chars = '';
    for (let code = low; code <= high; code++) {
        chars += String.fromCharCode(code);
    }
    return chars;
};
const DIGIT = span(48, 57), UPPER = span(65, 90), LOWER = span(97, 122);
const CLASSES = {
    'alpha': UPPER + LOWER, 'digit': DIGIT, 'alnum': UPPER + LOWER + DIGIT, 'upper': UPPER, 'lower': LOWER,
    'xdigit': DIGIT + 'ABCDEFabcdef', 'punct': span(33, 47) + span(58, 64) + span(91, 96) + span(123, 126),
    'space': ' \t\n\r\v\f', 'blank': ' \t'
};

const holds = (chars, char) => char !== '' && chars.indexOf(char) >= 0;

// Characters that a set of them, or all but them, lets begin.
function firstOf(chars, isNegated) {
    const first = {};
    for (let code = 0; code < OTHER; code++) {
        if (holds(chars, String.fromCharCode(code)) !== isNegated) {
            first[code] = true;
        }
    }
    for (let i = 0; i < chars.length; i++) {
        if (chars.charCodeAt(i) >= OTHER) {
            first[OTHER] = true;
        }
    }
    return isNegated ? Object.assign(first, { 128: true }) : first;
}

function leaf(kind, first, nullable, more) {
    return Object.assign({ kind: kind, first: first, nullable: nullable, quantified: false, settled: true }, more);
}

const chars = (text, isNegated) =>
    leaf('chars', firstOf(text, isNegated), false, { chars: text, isNegated: isNegated });

// Recursive descent, one function a production of 9.5.3; null where the pattern is ill-formed.
function read(pattern) {
    const reader = { pattern: pattern, at: 0, depth: 0, groups: 0 };
    try {
        const tree = alternation(reader);
        return reader.at === pattern.length ? { tree: tree, groups: reader.groups } : null;
    } catch (error) {
        return null;
    }
}

function illFormed(what) {
    return new Error('ere: ' + what);
}

const peek = (reader) => reader.pattern.charAt(reader.at);

// The next character, by code point.
function next(reader) {
    if (reader.at >= reader.pattern.length) {
        throw illFormed('the pattern ends early');
    }
    const char = String.fromCodePoint(reader.pattern.codePointAt(reader.at));
    reader.at += char.length;
    return char;
}

function alternation(reader) {
    const branches = [branch(reader)];
    while (peek(reader) === '|') {
        reader.at++;
        branches.push(branch(reader));
    }
    if (branches.length === 1) {
        return branches[0];
    }
    const first = Object.assign.apply(null, [{}].concat(branches.map((one) => one.first)));
    const begins = branches.reduce((sum, one) => sum + Object.keys(one.first).length, 0);
    return {
        kind: 'either', parts: branches, first: first, nullable: branches.some((one) => one.nullable),
        quantified: branches.some((one) => one.quantified),
        settled: begins === Object.keys(first).length && branches.every((one) => one.settled && !one.nullable)
    };
}

function branch(reader) {
    const pieces = [piece(reader)];
    while (peek(reader) !== '' && peek(reader) !== '|' && peek(reader) !== ')') {
        pieces.push(piece(reader));
    }
    const open = pieces.findIndex((one) => !one.nullable);
    const heads = open < 0 ? pieces : pieces.slice(0, open + 1);
    return {
        kind: 'all', parts: pieces, first: Object.assign.apply(null, [{}].concat(heads.map((one) => one.first))),
        nullable: open < 0, quantified: pieces.some((one) => one.quantified), settled: pieces.every((one) => one.settled)
    };
}

function piece(reader) {
    const isAnchor = holds('^$', peek(reader));
    const inner = atom(reader);
    if (!holds(QUANTIFIERS, peek(reader))) {
        return inner;
    }
    if (isAnchor) {
        throw illFormed('an anchor cannot be repeated');
    }
    const range = bounds(reader);
    if (holds(QUANTIFIERS, peek(reader))) {
        throw illFormed('a doubled or lazy quantifier');
    }
    return {
        kind: 'repeat', inner: inner, low: range[0], high: range[1], first: range[1] === 0 ? {} : inner.first,
        nullable: inner.nullable || range[0] === 0, quantified: true, settled: inner.settled && !inner.quantified
    };
}

// [least, most]; Infinity for no bound.
function bounds(reader) {
    const char = next(reader);
    if (char !== '{') {
        return { '*': [0, Infinity], '+': [1, Infinity], '?': [0, 1] }[char];
    }
    const found = /^([0-9]{1,3})(,([0-9]{1,3})?)?\}/.exec(reader.pattern.slice(reader.at));
    if (!found) {
        throw illFormed('a malformed interval');
    }
    reader.at += found[0].length;
    const low = parseInt(found[1], 10);
    const high = found[3] ? parseInt(found[3], 10) : found[2] ? Infinity : low;
    if (low > MAX_REPEAT || high < low || high !== Infinity && high > MAX_REPEAT) {
        throw illFormed('an interval out of range');
    }
    return [low, high];
}

function atom(reader) {
    const char = next(reader);
    if (char === '(') {
        return group(reader);
    }
    if (char === '^' || char === '$') {
        return leaf(char === '^' ? 'begin' : 'end', {}, true, {});
    }
    if (char === '.') {
        return chars('', true);
    }
    if (char === '[') {
        return bracket(reader);
    }
    if (char === '\\') {
        const escaped = next(reader);
        if (!holds(SPECIAL, escaped)) {
            throw illFormed('an escape POSIX does not define');
        }
        return chars(escaped, false);
    }
    if (holds('*+?{|)', char)) {
        throw illFormed('a quantifier or branch with nothing before it');
    }
    return chars(char, false);
}

function group(reader) {
    const number = ++reader.groups;
    if (++reader.depth > MAX_DEPTH) {
        throw illFormed('groups too deep');
    }
    const inner = alternation(reader);
    if (next(reader) !== ')') {
        throw illFormed('unmatched (');
    }
    reader.depth--;
    return Object.assign({}, inner, { kind: 'group', number: number, inner: inner });
}

// 9.3.5: ranges in code point order, classes of the POSIX locale, no collating elements.
function bracket(reader) {
    const isNegated = peek(reader) === '^';
    reader.at += isNegated ? 1 : 0;
    let held = '';
    for (let isFirst = true; isFirst || peek(reader) !== ']'; isFirst = false) {
        const rest = reader.pattern.slice(reader.at, reader.at + 2);
        if (rest === '[:') {
            held += classAt(reader);
            continue;
        }
        if (rest === '[.' || rest === '[=') {
            throw illFormed('a collating element');
        }
        const low = next(reader);
        const isRange = peek(reader) === '-' && reader.at + 1 < reader.pattern.length
            && reader.pattern.charAt(reader.at + 1) !== ']';
        reader.at += isRange ? 1 : 0;
        const high = isRange ? next(reader) : low;
        if (low > high || high.codePointAt(0) >= OTHER) {
            throw illFormed('a range out of order or beyond ASCII');
        }
        held += span(low.charCodeAt(0), high.charCodeAt(0));
    }
    reader.at++;
    return chars(held, isNegated);
}

function classAt(reader) {
    const end = reader.pattern.indexOf(':]', reader.at);
    const name = end < 0 ? '' : reader.pattern.slice(reader.at + 2, end);
    if (!Object.prototype.hasOwnProperty.call(CLASSES, name)) {
        throw illFormed('an unknown character class');
    }
    reader.at = end + 2;
    return CLASSES[name];
}

export default { read: read };
