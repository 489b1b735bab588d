"""The claim labels as C constants, generated from the claim table (CAT-32).

python -m cat.cython > native/cat/labels.pxd
"""

from cat.tables import CLAIMS, COMPONENTS, CONTESTED, MATCHES


def labels() -> str:
    """The text of `native/cat/labels.pxd`."""
    lines = ["# Generated from the claim table of token/cat (python -m cat.cython).", ""]
    lines += ["cdef enum:  # labels, CTA-5007-B"]
    lines += [f"    {claim.name.upper()} = {claim.label}  # {claim.section}" for claim in CLAIMS]
    lines += ["", "cdef enum:  # components of a URI, CAT-41"]
    lines += [f"    AT_{name.upper()} = {number}" for name, number in COMPONENTS.items()]
    lines += ["", "cdef enum:  # match types, CAT-40"]
    lines += [
        f"    {name.upper()}_MATCH = {number}" for name, number in MATCHES.items() if number >= 0
    ]
    lines += ["", "cdef inline bint is_contested(long long label) noexcept:  # CAT-63"]
    numbers = sorted(CONTESTED)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    tests = " or ".join(f"{low} <= label <= {high}" for low, high in spans)
    return "\n".join([*lines, f"    return {tests}", ""])


if __name__ == "__main__":
    print(labels(), end="")
