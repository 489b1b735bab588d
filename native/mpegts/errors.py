"""What can be wrong with samples that are to be packets."""


class MuxError(ValueError):
    """A sample that its own lengths do not allow, or columns of different lengths."""
