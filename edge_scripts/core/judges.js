// The decision of each claim: true, false, or null where this platform cannot evaluate it. A case is
// {claims, context, profile, host}; the names are those of the claim table.

import cbor from './cbor.js';
import dpop from './dpop.js';
import match from './match.js';
import network from './network.js';
import shapes from './shapes.js';
import table from './claims.generated.js';
import text from './text.js';
import uris from './uri.js';

const EARTH_RADIUS_M = 6371008.8;
const HOST = 1;
const GEOHASH = '0123456789bcdefghjkmnpqrstuvwxyz';

const listOf = (value) => Array.isArray(value) ? value : [value];
const known = (value) => value === undefined ? null : value;

function uri(value, judged) {
    const parts = uris.parse(judged.context.uri);
    if (parts === null) {
        return false;
    }
    return match.all(value.keys.map((number, at) => match.holds(
        value.values[at], uris.component(parts, number, judged.profile), number === HOST, judged.host)));
}

function alpn(value, judged) {
    const negotiated = known(judged.context.alpn);
    if (negotiated === null) {
        return /^https:/i.test(judged.context.uri) ? null : false;
    }
    return value.some((item) => text.sameBytes(item, text.toUtf8(negotiated)));
}

function headers(value, judged) {
    const fields = judged.context.headers || {};
    return match.all(value.keys.map((name, at) => {
        const key = name.toLowerCase();
        return Object.prototype.hasOwnProperty.call(fields, key)
            ? match.holds(value.values[at], [fields[key].replace(/^[ \t]+|[ \t]+$/g, '')], false, judged.host)
            : false;
    }));
}

function networks(value, judged) {
    const ip = known(judged.context.ip);
    const client = ip === null ? null : network.address(ip);
    const asn = known(judged.context.asn);
    return match.any(value.map((item) => network.entry(item)(client, asn)));
}

function hasPlace(context) {
    return known(context.lat) !== null && known(context.lon) !== null;
}

function geohash(value, judged) {
    const context = judged.context;
    return hasPlace(context) ? listOf(value).some((hash) =>
        geohashOf(context.lat, context.lon, hash.length) === hash) : null;
}

function geohashOf(lat, lon, length) {
    const spans = [[-180, 180], [-90, 90]];
    let hash = '', digit = 0;
    for (let bit = 0; bit < 5 * length; bit++) {
        const span = spans[bit % 2], value = [lon, lat][bit % 2];
        const middle = (span[0] + span[1]) / 2;
        const upper = value >= middle ? 1 : 0;
        span[1 - upper] = middle;
        digit = digit * 2 + upper;
        if (bit % 5 === 4) {
            hash += GEOHASH.charAt(digit);
            digit = 0;
        }
    }
    return hash;
}

function region(value, judged) {
    const country = known(judged.context.country);
    if (country === null) {
        return null;
    }
    const client = country.toUpperCase();
    return value.some((item) => {
        const entry = item.toUpperCase();
        return entry === client || entry === client.split('-')[0];
    });
}

function circles(value, judged) {
    if (!Array.isArray(value) || !hasPlace(judged.context)) {
        return null;
    }
    const entries = Array.isArray(value[0]) ? value : [value];
    return entries.some((circle) => {
        const at = circle.map(shapes.numberOf);
        return distance(judged.context.lat, judged.context.lon, at[0], at[1]) <= at[2];
    });
}

function distance(lat1, lon1, lat2, lon2) {
    const radians = Math.PI / 180;
    const halfLat = (lat2 - lat1) * radians / 2, halfLon = (lon2 - lon1) * radians / 2;
    const h = Math.pow(Math.sin(halfLat), 2)
        + Math.cos(lat1 * radians) * Math.cos(lat2 * radians) * Math.pow(Math.sin(halfLon), 2);
    return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(Math.min(1, h)));
}

// Proofs need public-key verification (CAT-84): without one it is wrong, with one it is unknown.
function proof(value, judged) {
    const given = Object.prototype.hasOwnProperty.call(judged.context.headers || {}, 'dpop');
    const jkt = cbor.get(value, table.JKT);
    return jkt === undefined ? null : given && dpop.holds(jkt, judged);
}

function portion(value) {
    const probability = shapes.numberOf(value[0]);
    return probability === 0 ? true : probability === 1 ? false : null;
}

function crit(value, judged) {
    return value.every((label) => table.claim(judged.profile, label)
        && judged.claims.keys.indexOf(label) >= 0);
}

function judgeSet(set, judged) {
    const inner = { claims: set, context: judged.context, profile: judged.profile, host: judged.host };
    return match.all(judged.profile.claims
        .filter((claim) => claim.judge !== null && set.keys.indexOf(claim.label) >= 0)
        .map((claim) => JUDGES[claim.judge](cbor.get(set, claim.label), inner)));
}

const each = (sets, judged) => sets.map((set) => judgeSet(set, judged));

const JUDGES = {
    unsupported: () => null,
    altitude: () => null,
    docs_uri: () => null,
    docs_networks: () => null,
    version: (value) => value === 1,
    not_before: (value, judged) => judged.context.now >= shapes.numberOf(value),
    expiry: (value, judged) => judged.context.now < shapes.numberOf(value),
    issuer: (value, judged) => !judged.context.issuers.length || judged.context.issuers.indexOf(value) >= 0,
    audience: (value, judged) => listOf(value).some((name) => judged.context.audiences.indexOf(name) >= 0),
    subject: () => true,
    method: (value, judged) => value.indexOf(judged.context.method) >= 0,
    uri: uri,
    alpn: alpn,
    headers: headers,
    network: networks,
    geohash: geohash,
    region: region,
    circles: circles,
    client_key: () => null,
    proof: proof,
    portion: portion,
    replay: (value) => value === 0 ? true : null,
    crit: crit,
    or: (sets, judged) => match.any(each(sets, judged)),
    and: (sets, judged) => match.all(each(sets, judged)),
    nor: (sets, judged) => match.not(match.any(each(sets, judged)))
};

export default JUDGES;
