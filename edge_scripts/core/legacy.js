// Clients that cannot carry a token: anchored User-Agent patterns, each with an end date (E-48).

// Whether a client passes without a token here: the path's policy says so, and an entry lives.
function passes(request, config, policy, outcome) {
    const agent = request.headers['user-agent'] || '';
    const entry = policy.legacy ? (config.legacy || []).find((client) =>
        request.now < client.until && new RegExp('^(?:' + client.pattern + ')$').test(agent)) : undefined;
    outcome.legacy = entry ? entry.name : null;
    return entry !== undefined;
}

export default { passes: passes };
