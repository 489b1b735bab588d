# cython: auto_pickle=False
"""The verdict on a token (specs/cat.md CAT-102): of tokens accepted in passing nobody asks the claims,
so they are read when somebody does.
"""

cimport cython
from types import MappingProxyType

_NOTHING = MappingProxyType({})


@cython.no_gc  # nothing that a verdict refers to refers to it
cdef class Verdict:
    def __init__(
        self,
        bint accept,
        str reason not None,
        str claim=None,
        claims=_NOTHING,
        str kid=None,
        int step=0,
        renew=None,
        respond=None,
        pending=None,
    ):
        self.accept, self.reason, self.claim, self.found = accept, reason, claim, claims
        self.kid, self.step, self.renew, self.respond = kid, step, renew, respond
        self.pending = pending

    @property
    def claims(self):
        if self.read is not None:
            self.found, self.read = self.read(self.found), None
        return self.found

    def __eq__(self, other):
        if not isinstance(other, Verdict):
            return NotImplemented
        return self.parts() == (<Verdict>other).parts() and self.claims == other.claims

    def __hash__(self):
        return hash(self.parts())

    def __repr__(self):
        return (
            f"Verdict(accept={self.accept!r}, reason={self.reason!r}, claim={self.claim!r}, kid={self.kid!r},"
            f" step={self.step!r}, renew={self.renew!r}, respond={self.respond!r})"
        )

    def parts(self):
        return (
            self.accept, self.reason, self.claim, self.kid, self.step, self.renew, self.respond,
        )

    def __class_getitem__(cls, _types):
        return cls
