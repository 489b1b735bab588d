// In the place of `core/legacy.js` where a deployment has no legacy clients.

const passes = () => false;

export default { passes: passes };
