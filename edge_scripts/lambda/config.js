// Written anew by `headwater edge build`, which puts the deployment's policy here.

const config = {};

export default config;
