// EdgeWorkers' own modules are the mocks of that name; the mocks import each other without a suffix.

const OWN = ['log', 'crypto'];

export async function resolve(name, context, next) {
    const parent = context.parentURL || '';
    if (OWN.includes(name) && parent.endsWith('/main.js')) {
        return { url: new URL(`./__mocks__/${name}.js`, import.meta.url).href, shortCircuit: true };
    }
    return next(parent.includes('/__mocks__/') && !name.endsWith('.js') ? name + '.js' : name, context);
}
