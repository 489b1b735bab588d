"""What can be wrong with timed text.

OriginError
└── BadText   400  a sample that its own syntax does not allow
"""

from origin.errors import OriginError


class BadText(OriginError):
    code, status = "bad_text", 400
