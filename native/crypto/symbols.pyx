# cython: auto_pickle=False
"""The process's libcrypto, found at run time, so that no headers are needed to build."""

cdef extern from "<dlfcn.h>" nogil:
    void* dlopen(const char* name, int flags)
    void* dlsym(void* handle, const char* name)
    enum: RTLD_NOW

cdef void* handle = NULL
cdef str found = ""


cdef void load():
    global handle, found
    cdef bytes path
    for name in ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib"):
        path = (<str>name).encode()
        handle = dlopen(path, RTLD_NOW)
        if handle != NULL:
            found = name
            return


load()


def library():
    return found


cdef void* symbol(const char* name) noexcept:
    """The address of a function, or NULL."""
    return NULL if handle == NULL else dlsym(handle, name)
