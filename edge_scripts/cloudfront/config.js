// The policy a bundle is built with; `headwater edge build` writes the deployment's own in its place.

const config = {
    name: 'headwater-cf', profile: 'cta', mode: 'enforce', issuers: [], audiences: [], require: ['exp'],
    policies: [], legacy: [], logged: [], origins: null, failover: [500, 502, 503, 504], blackout_segment: 2,
    blackout_closed: false
};

export default config;
