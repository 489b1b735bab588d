from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef enum:
    COMPONENTS = 9

cdef struct Text:
    const char* data
    Py_ssize_t size


cdef class Request:
    cdef readonly str uri
    cdef readonly double now
    cdef readonly str method
    cdef readonly str ip
    cdef readonly object asn
    cdef int64_t system  # the same, or -1
    cdef readonly str country
    cdef readonly object lat
    cdef readonly object lon
    cdef readonly object alt
    cdef readonly str alpn
    cdef readonly bytes client_spki
    cdef readonly object headers
    cdef readonly object client_prints
    cdef Text[COMPONENTS] components
    cdef int uri_state
    cdef bint default_port
    cdef public object normal
    cdef tuple kept
    cdef int family  # -1: not read yet, 0: none
    cdef uint8_t[16] address

    cdef bint has_uri(self, object normalise) except -1
    cdef bint split(self) noexcept
    cdef bint adopt(self, object normalise) except -1
    cdef void derive(self) noexcept
    cdef int read_address(self) noexcept

cdef Text text_of(str value) noexcept

cdef Request new_request(str uri, double now, str method)
