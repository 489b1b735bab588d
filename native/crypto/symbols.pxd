cdef void* symbol(const char* name) noexcept
