# cython: auto_pickle=False
"""A whole answer ready to leave in one call: head, this second's date, body (HT-77, HT-130, HT-132).

An image is made once per second at most and never changed: what a socket still holds of an older one
stays as it was. Small ones are octets for one send(2), larger ones stand in a memfd for one
sendfile(2), which hands out pages instead of copying.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport strlen

cdef extern from "<sys/mman.h>" nogil:
    int memfd_create(const char* name, unsigned int flags)
    enum: MFD_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    ssize_t write(int fd, const void* data, size_t size)

FILES_MAX = 128  # memfds of one process
cdef int files = 0


cdef class Image:
    """Head, this second's date and the body of one hot object."""

    def __cinit__(self):
        self.fd = -1

    def __dealloc__(self):
        global files
        if self.fd >= 0:
            close(self.fd)
            files -= 1


cdef bint fill(int fd, const char* data, size_t left) noexcept nogil:
    """Write it all."""
    cdef ssize_t done
    while left:
        done = write(fd, data, left)
        if done <= 0:
            return False
        data += done
        left -= done
    return True


cdef Image picture(long second, bytes head, const char* date, tuple pieces, size_t size, bint in_file):
    """An image of the answer; None when there are enough memfds, or the kernel gives none."""
    global files
    cdef Image image = Image.__new__(Image)
    cdef bytes lead = head + date[: strlen(date)], piece
    image.second, image.lead, image.size = second, PyBytes_GET_SIZE(lead), PyBytes_GET_SIZE(lead) + size
    if not in_file:
        image.octets = b"".join((lead, *pieces))
        return image
    if files >= FILES_MAX:
        return None
    image.fd = memfd_create(b"headwater", MFD_CLOEXEC)
    if image.fd < 0:
        return None
    files += 1
    for piece in (lead, *pieces):
        if not fill(image.fd, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece)):
            return None
    return image
