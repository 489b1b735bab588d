"""The face that the codecs of NAL units share (C face: nal.pxd)."""

from typing_extensions import disjoint_base

@disjoint_base
class Sets: ...
