"""The wildcards of Akamai ACLs (S-4) and CloudFront resources (S-12): `*` any run, `?` one
character.
"""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits. Backtracks to the last `*` only: at most len(pattern) *
    len(text) steps.
    """
    at, star, mark = 0, -1, 0
    index = 0
    while index < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, mark = at, index
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[index]):
            at += 1
            index += 1
        elif star >= 0:
            at, mark = star + 1, mark + 1
            index = mark
        else:
            return False
    return not pattern[at:].strip("*")
