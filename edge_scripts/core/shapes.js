// The forms claims must have (step 7 of CAT section 10); the names are those of the claim table.

import cbor from './cbor.js';
import docs from './docs.js';
import match from './match.js';
import network from './network.js';
import table from './claims.generated.js';

const LIMITS = table.LIMITS;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const GEOHASH = /^[0-9bcdefghjkmnpqrstuvwxyz]{1,12}$/;
const GEO_CRS = 279;
const REGEX = 4;

// Texts have a method `big`.
const isBig = (value) => typeof value === 'object' && value !== null && typeof value.big === 'string';
const isInt = (value) => typeof value === 'number' || isBig(value);
const isUint = (value) => typeof value === 'number' ? value >= 0 : isBig(value) && value.big.charAt(0) !== '-';
const isText = (value) => typeof value === 'string';
const isBytes = (value) => value instanceof Uint8Array;
const isToken = (value) => typeof value === 'string' && TOKEN.test(value);
const isGeohash = (value) => typeof value === 'string' && GEOHASH.test(value);
const isCrs = (value) => value !== null && value.tag === GEO_CRS;

// The number of an int or float, or NaN.
function numberOf(value) {
    if (typeof value === 'number') {
        return value;
    }
    if (value === null || typeof value !== 'object') {
        return NaN;
    }
    return value.float !== undefined ? value.float
        : value.big === undefined ? NaN : value.big.charAt(0) === '-' ? -1e19 : 1e19;
}

const isNumber = (value) => !isNaN(numberOf(value));

function listOf(value, test, most, least) {
    return Array.isArray(value) && value.length >= least && value.length <= most && value.every(test);
}

function isTime(value) {
    return Math.abs(numberOf(value)) <= 9007199254740992;
}

function fewRegexes(map) {
    return map.values.filter((matches) => matches.keys.indexOf(REGEX) >= 0).length <= LIMITS.regexes;
}

function isUri(value) {
    return cbor.isMap(value) && value.keys.length > 0 && value.keys.every((number, at) =>
        typeof number === 'number' && table.COMPONENTS[number] !== undefined
        && match.wellFormed(value.values[at])) && fewRegexes(value);
}

function isHeaders(value) {
    if (!cbor.isMap(value) || value.keys.length < 1 || value.keys.length > LIMITS.header_names) {
        return false;
    }
    const names = value.keys.map((name) => String(name).toLowerCase());
    return names.every((name, at) => names.indexOf(name) === at) && value.keys.every((name, at) =>
        isToken(name) && match.wellFormed(value.values[at])) && fewRegexes(value);
}

function isCircle(value) {
    if (!Array.isArray(value) || value.length !== 3) {
        return false;
    }
    const radius = numberOf(value[2]);
    return Math.abs(numberOf(value[0])) <= 90 && Math.abs(numberOf(value[1])) <= 180
        && radius >= 0 && radius % 1 === 0;
}

function isConfirmation(value) {
    const jkt = cbor.isMap(value) ? cbor.get(value, table.JKT) : null;
    return cbor.isMap(value) && value.keys.length > 0
        && (jkt === undefined || (isBytes(jkt) && jkt.length === 32));
}

function isDpop(value) {
    if (!cbor.isMap(value) || !value.keys.every(isInt)) {
        return false;
    }
    const windowS = cbor.get(value, 0), jti = cbor.get(value, 1), crit = cbor.get(value, -1);
    return (windowS === undefined || (isUint(windowS) && windowS <= 3600))
        && (jti === undefined || isUint(jti))
        && (crit === undefined || listOf(crit, isInt, 50, 1));
}

function isPortion(value) {
    return Array.isArray(value) && (value.length === 2 || value.length === 3)
        && numberOf(value[0]) >= 0 && numberOf(value[0]) <= 1
        && (isInt(value[1]) || isBytes(value[1])) && value.slice(2).every(isTime);
}

function isRenewal(value) {
    if (!cbor.isMap(value)) {
        return false;
    }
    const optional = (key, test) => {
        const found = cbor.get(value, key);
        return found === undefined || test(found);
    };
    const isParams = (item) => (Array.isArray(item) ? item : [item]).every((text) =>
        typeof text === 'string' && !/[\r\n\0]/.test(text));
    const expadd = cbor.get(value, 1);
    return [0, 1, 2, 3].indexOf(cbor.get(value, 0)) >= 0
        && expadd !== undefined && numberOf(expadd) >= 1
        && optional(2, isNumber) && optional(3, isToken) && optional(4, isToken)
        && optional(5, isParams) && optional(6, isParams)
        && optional(7, (status) => [301, 302, 303, 307, 308].indexOf(status) >= 0);
}

function isCatif(value) {
    return cbor.isMap(value) && value.keys.length > 0 && value.keys.every((key, at) => {
        const answer = value.values[at];
        return (isInt(key) || listOf(key, isInt, LIMITS.list_items, 1))
            && Array.isArray(answer) && answer.length >= 1 && answer.length <= 3 && isUint(answer[0]);
    });
}

// The number of sets, or more than allowed when any of them is malformed (CAT-65, CAT-67).
function countSets(value, profile, depth) {
    if (depth > LIMITS.set_depth || !Array.isArray(value) || value.length === 0) {
        return Infinity;
    }
    let count = value.length;
    value.forEach((set) => {
        if (!cbor.isMap(set) || set.keys.length === 0) {
            count = Infinity;
            return;
        }
        set.keys.forEach((label, at) => {
            const claim = table.claim(profile, label);
            if (!claim) {
                return;
            }
            if (claim.shape === 'sets' && !isForbidden(claim)) {
                count += countSets(set.values[at], profile, depth + 1);
            } else if (isForbidden(claim) || !SHAPES[claim.shape](set.values[at], profile)) {
                count = Infinity;
            }
        });
    });
    return count;
}

function isForbidden(claim) {
    return table.NOT_IN_SETS.indexOf(claim.name) >= 0;
}

function isDocsRenewal(value) {
    const found = docs.valuesOf(value, 0);
    const of = (number) => {
        const at = value.keys.findIndex((key) => String(key) === number);
        return at < 0 ? undefined : value.values[at];
    };
    return found !== null && [undefined, 'header_renewal'].indexOf(of('1')) >= 0
        && ['2', '3'].every((key) => of(key) === undefined || isNumber(of(key)));
}

const SHAPES = {
    any: () => true,
    uint: isUint,
    time: isTime,
    text: isText,
    texts: (value) => isText(value) || listOf(value, isText, LIMITS.array_items, 0),
    bytes: isBytes,
    methods: (value) => listOf(value, isToken, LIMITS.list_items, 1),
    uri: isUri,
    alpns: (value) => listOf(value, isBytes, LIMITS.list_items, 1),
    headers: isHeaders,
    networks: (value) => listOf(value, (item) => network.entry(item) !== null, LIMITS.array_items, 1),
    geohash: (value) => isGeohash(value) || listOf(value, isGeohash, LIMITS.list_items, 1),
    regions: (value) => listOf(value, isText, LIMITS.regions, 1),
    circles: (value) => isCrs(value) || isCircle(value) || listOf(value, isCircle, LIMITS.list_items, 1),
    altitude: (value) => isCrs(value) || (listOf(value, isNumber, 2, 2)),
    confirmation: isConfirmation,
    dpop: isDpop,
    portion: isPortion,
    replay: (value) => [0, 1, 2].indexOf(value) >= 0,
    sets: (value, profile) => countSets(value, profile, 1) <= LIMITS.sets,
    crit: (value) => listOf(value, (item) => isInt(item) || isText(item), LIMITS.array_items, 1),
    renewal: isRenewal,
    catif: isCatif,
    id: (value) => isBytes(value) || isText(value),
    docs_uri: docs.isUri,
    docs_networks: docs.isNetworks,
    docs_renewal: isDocsRenewal
};

export default { SHAPES: SHAPES, numberOf: numberOf };
