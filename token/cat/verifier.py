"""A verifier that stands as long as its keys and settings: the verdicts of `verify`, sooner.

Common tokens are accepted by the kernel (`native.cat.Fast`), which says yes or nothing; whatever it
leaves, and every refusal with its reason, is `verify`'s.
"""

import secrets
from collections.abc import Callable, Iterable
from functools import partial

from cat.algorithms import BY_NAME, BY_NUMBER
from cat.cbor import decode
from cat.context import LIBRARY_DEFAULTS, Context, Options, normal_parts
from cat.keys import KeySet
from cat.mint import Mint
from cat.revocation import Revoked
from cat.seen import Seen
from cat.tables import LABELS
from cat.verify import Verdict, furthest, verify
from native.cat import SECRET_BYTES, Fast, Namer, Plan, Rules, Sealer


class Verifier(Fast[Verdict]):
    """`verify(token, context)` is `cat.verify` with one key set, one `Options`, one `Mint` and one
    list; up to twice `most` of the tokens whose seal held are remembered (CAT-101).
    """

    def __init__(
        self,
        keys: KeySet,
        options: Options = LIBRARY_DEFAULTS,
        *,
        most: int = 4096,
        mint: Mint | None = None,
        revoked: Revoked | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        super().__init__(
            Verdict,
            decode,
            _sealers(keys) if _is_plain(options) else (),
            _rules(options),
            Namer(entropy(SECRET_BYTES)),
            most,
            None if revoked is None else revoked.epoch,
            mint is not None,
        )
        self.options = options
        self._keys = keys
        self._seen = Seen(most)
        self._mint = mint
        self._revoked = revoked

    def cleared(self, plan: Plan, now: float) -> bool:
        assert self._revoked is not None
        return self._revoked.finds(plan.verdict.claims, plan.verdict.kid, now) is None

    def otherwise(self, token: str, request: Context) -> Verdict:
        return verify(
            *(token, request, self._keys, self.options, self._seen),
            mint=self._mint,
            revoked=self._revoked,
        )

    def verify_any(self, tokens: Iterable[str], context: Context) -> Verdict:
        """The verdict on several candidates (CAT-91)."""
        return furthest(tokens, lambda token: self.verify(token, context))


_RULES_OF_KERNEL = ("profile", "contested", "high_s", "foreign", "privacy", "names")


def _is_plain(options: Options) -> bool:
    """Whether the kernel's rules are these options' rules."""
    return (
        all(getattr(options, name) == getattr(LIBRARY_DEFAULTS, name) for name in _RULES_OF_KERNEL)
        and options.encoded_slash == "refuse"
        and not options.query_ignore
    )


def _rules(options: Options) -> Rules:
    needed = [LABELS[name] for name in options.needed if name in LABELS]
    return Rules(
        options.issuers, options.audiences, options.subject, options.skew_s, needed, normal_parts
    )


def _sealers(keys: KeySet) -> list[Sealer]:
    return [
        Sealer(
            key.kid.encode(),
            key.algorithm.number,
            key.kid,
            key.public if isinstance(key.public, bytes) else None,
            None
            if isinstance(key.public, bytes)
            else partial(BY_NUMBER[key.algorithm.number].holds, key.public),
            key.not_before,
            key.not_after,
        )
        for key in keys
        if key.alg in BY_NAME
    ]
