"""What the encryption kernels refuse."""


class RangeError(ValueError):
    """Sizes, ranges and IVs that do not fit the octets given."""
