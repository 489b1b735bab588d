// In the place of `core/challenge.js`: proofs of possession are not judged here.

const of = (reason) => 'CAT error="' + reason + '"';

export default { of: of };
