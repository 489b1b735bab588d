// Names of EdgeWorkers' modules for Node: `log` and `crypto` are files beside this one.

export async function resolve(name, context, next) {
    const own = { log: './log.js', crypto: './webcrypto.js' }[name];
    const isBundle = context.parentURL && context.parentURL.endsWith('/main.js');
    return own && isBundle ? { url: new URL(own, import.meta.url).href, shortCircuit: true } : next(name, context);
}
