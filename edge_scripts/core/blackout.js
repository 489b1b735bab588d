// Titles that are not to be seen here and now, whatever the token says (E-49): `blackout:<channel>` in the store is
// {regions?, dma?, from?, to?, replacement?}.

// The blackout in force, or null (E-49). A broken store closes or opens as configured.
async function find(request, config, host, path) {
    const channel = path.split('/')[config.blackout_segment];
    if (!config.blackout_segment || !channel) {
        return null;
    }
    let held;
    try {
        held = await host.get('blackout:' + channel);
    } catch (error) {
        return config.blackout_closed ? {} : null;
    }
    const blackout = held === null ? null : JSON.parse(held);
    return blackout && !(request.now < blackout.from) && !(request.now >= blackout.to)
        && reaches(blackout, request) ? blackout : null;
}

// A client of unknown place is inside.
function reaches(blackout, request) {
    const country = request.country, metro = request.metro;
    const named = (places, place) => places !== undefined
        && (place === undefined || places.indexOf(place) >= 0 || places.indexOf(place.split('-')[0]) >= 0);
    return blackout.regions === undefined && blackout.dma === undefined
        || named(blackout.regions, country) || named(blackout.dma, metro);
}

export default { find: find };
