"""Common Access Token (CTA-5007): one claim table, COSE, verify and issue.

A token is judged by `verify` against a `Context` (the request) and `Options` (our settings) with a
`KeySet`; the answer is always a `Verdict`. A service keeps one `Verifier`, which gives the same
verdicts sooner; a `Guard` puts a store behind it, for uses, proofs and lists. A `Mint` lets it
renew tokens. `candidates` takes tokens out of a request, `refusal` is
the HTTP answer of a verdict that does not accept. Nothing here touches a socket or a clock.
"""

from cat.cleared import Cleared
from cat.context import Context, Options
from cat.errors import CatError, IssueError, KeyFileError, Refused
from cat.guard import Guard, Store
from cat.issue import encrypt, issue
from cat.keys import Key, KeySet, generate
from cat.mint import Mint
from cat.refusal import RefusalAnswer, refusal
from cat.renewal import Renewed
from cat.revocation import Revocations, Snapshot
from cat.transport import Found, Names, candidates, in_path
from cat.verifier import Verifier
from cat.verify import Verdict, verify, verify_any

__all__ = [
    "CatError",
    "Cleared",
    "Context",
    "Found",
    "Guard",
    "IssueError",
    "Key",
    "KeyFileError",
    "KeySet",
    "Mint",
    "Names",
    "Options",
    "RefusalAnswer",
    "Refused",
    "Renewed",
    "Revocations",
    "Snapshot",
    "Store",
    "Verdict",
    "Verifier",
    "candidates",
    "encrypt",
    "generate",
    "in_path",
    "issue",
    "refusal",
    "verify",
    "verify_any",
]
