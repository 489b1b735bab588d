// WWW-Authenticate of a refusal (CAT-81, CAT-110).

const of = (reason) => reason === 'dpop' ? 'DPoP error="invalid_dpop_proof"' : 'CAT error="' + reason + '"';

export default { of: of };
