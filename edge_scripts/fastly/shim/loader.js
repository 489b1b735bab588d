// Names of Compute's modules for Node: all are `stores.js` beside this one.

export async function resolve(name, context, next) {
    return name.startsWith('fastly:') ? { url: new URL('./stores.js', import.meta.url).href, shortCircuit: true }
        : next(name, context);
}
