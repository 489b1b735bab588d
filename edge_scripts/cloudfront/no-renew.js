// In the place of `renew.js` where a deployment renews in the viewer response only.

const redirect = () => null;

export default { redirect: redirect };
