"""The language that CloudFront's runtime 2.0 documents (E-3, E-4): what `njs` accepts beyond it is
refused too.
"""

import re
from typing import Final

from headwater.edge.errors import BuildError
from headwater.edge.scan import scan

FORBIDDEN: Final = {
    r"\?\?": "nullish coalescing",
    r"\?\.(?!\d)": "optional chaining",
    r"\.\.\.": "spread",
    r"\(\?<[=!]": "lookbehind",
    r"\bclass\b": "class",
    r"\beval\b|\bFunction\(": "code from text",
    r"\bPromise\b|\.then\b": "promises outside await (E-4)",
    r"\b(?:Map|Set|WeakMap|BigInt|URL|URLSearchParams)\b": "a missing global",
    r"\bMath\.random\b": "a random number seeded by the start time (E-11)",
    r"\basync(?! function\b)": "an async closure",
    r"console\.log\([^()]*,": "console.log of several values",
    r"\bexport\b": "export",
    r"\b(?:let|const|var)[\[{]|\([\[{][\w,:]*[\]}]\)=>": "destructuring",
}


def check(code: str) -> None:
    """Raise BuildError with everything that a CloudFront function must not hold."""
    bare = " ".join(token.text if token.kind != "string" else "''" for token in scan(code))
    bare = re.sub(r" ?([^\w$]) ?", r"\1", bare)
    found = [what for pattern, what in FORBIDDEN.items() if re.search(pattern, bare)]
    if found:
        raise BuildError(f"outside the language of CloudFront functions: {', '.join(found)}")
