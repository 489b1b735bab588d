// Compute's stores, all named `headwater`: keys and origin secrets are secrets, the mode and the settings are
// configuration, all else is looked up.

import { ConfigStore } from 'fastly:config-store';
import { KVStore } from 'fastly:kv-store';
import { SecretStore } from 'fastly:secret-store';
import config from './config.js';

const NAME = 'headwater';
const CONFIGURED = ['mode', 'settings'];

async function get(name) {
    if (CONFIGURED.indexOf(name) >= 0) {
        return new ConfigStore(NAME).get(name);
    }
    if (name === 'keys' || name.indexOf('origin-auth-') === 0) {
        const secret = await new SecretStore(NAME).get(name);
        return secret === null ? null : secret.plaintext();
    }
    const entry = await new KVStore(NAME).get(name);
    return entry === null ? null : await entry.text();
}

// What the bundle was built with, and over it the store's item `settings`; unreadable, the bundle's own (E-41).
async function settings() {
    try {
        return Object.assign({}, config, JSON.parse(await get('settings')));
    } catch (error) {
        return config;
    }
}

export default { get: get, settings: settings };
