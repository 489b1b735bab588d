// The stores of a case in the place of those in the zip.

export const state = { stores: {}, broken: false };
export const stores = new Proxy({}, {
    get: (nothing, name) => {
        if (state.broken) {
            throw new Error('store');
        }
        return state.stores[name];
    }
});
