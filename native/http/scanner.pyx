# cython: auto_pickle=False
"""The parser for Python eyes: tests, tools, logs."""

from libc.stdint cimport uint8_t

from native.http.parser cimport FAULT, MORE, Head, begin, scan

from native.http import errors, tables


cdef class Scanner:
    """One request head, fed in pieces."""

    cdef Head head
    cdef bytearray octets
    cdef int code

    def __cinit__(self):
        self.octets = bytearray()
        self.code = MORE
        begin(&self.head)

    def feed(self, data: bytes) -> bool:
        """Take more octets; whether the head is complete or at fault."""
        cdef const uint8_t[::1] view
        self.octets += data
        if self.code == MORE and self.octets:
            view = self.octets
            self.code = scan(&self.head, &view[0], view.shape[0])
            del view
        return self.code != MORE

    @property
    def fault(self) -> str | None:
        """Code of errors.REFUSALS."""
        return errors.REFUSALS[self.code - FAULT].code if self.code >= FAULT else None

    @property
    def at(self) -> int:
        """Offset of the fault, or of the first octet behind the head."""
        return self.head.at

    @property
    def method(self) -> str:
        return tables.METHODS[self.head.method]

    @property
    def minor(self) -> int:
        return self.head.minor

    @property
    def keep_alive(self) -> bool:
        return self.head.keep_alive

    @property
    def target(self) -> bytes:
        """Path and query, without an authority; b"" is "/" of an absolute-form, or "*"."""
        return bytes(self.octets[self.head.path : self.head.path + self.head.path_size])

    @property
    def host(self) -> bytes:
        return bytes(self.octets[self.head.host : self.head.host + self.head.host_size])

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Name and trimmed value, as received."""
        return [
            (
                bytes(self.octets[f.name : f.name + f.name_size]),
                bytes(self.octets[f.value : f.value + f.value_size]),
            )
            for f in self.head.fields[: self.head.count]
        ]
