// Compute's stores over the case's.

export const state = { stores: {}, broken: false };

function held(name) {
    if (state.broken) {
        throw new Error('store');
    }
    return Object.hasOwn(state.stores, name) ? state.stores[name] : null;
}

export class ConfigStore {
    get(name) {
        return held(name);
    }
}

export class KVStore {
    async get(name) {
        const value = held(name);
        return value === null ? null : { text: async () => value };
    }
}

export class SecretStore {
    async get(name) {
        const value = held(name);
        return value === null ? null : { plaintext: () => value };
    }
}
