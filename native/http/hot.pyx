# cython: auto_pickle=False
"""Objects answered without the handler: decoded path -> Entity, looked up without Python objects.

Open addressing with linear probing, at most half full; removal shifts back, so there are no tombstones.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

cdef uint64_t SEED = <uint64_t>hash(b"headwater")  # differs per process


cdef uint64_t hash_of(const uint8_t* path, size_t size) noexcept nogil:
    """FNV-1a, folded."""
    cdef uint64_t value = 0xCBF29CE484222325u ^ SEED
    cdef size_t i
    for i in range(size):
        value = (value ^ path[i]) * 0x100000001B3u
    return value ^ value >> 32


cdef class Hot:
    """put, drop, get by decoded path; the protocol asks it before the handler (HT-6)."""

    def __cinit__(self):
        self.owned = {}
        self.slots = NULL
        self.grow(64)

    def __dealloc__(self):
        free(self.slots)

    cdef int grow(self, size_t room) except -1:
        cdef Slot* slots = <Slot*>calloc(room, sizeof(Slot))
        if slots == NULL:
            raise MemoryError
        free(self.slots)
        self.slots, self.mask = slots, room - 1
        for path, entity in self.owned.items():
            self.insert(path, entity)

    cdef size_t seek(self, const uint8_t* path, size_t size, uint64_t hash) noexcept:
        cdef size_t i = hash & self.mask
        while self.slots[i].path != NULL:
            if (
                self.slots[i].hash == hash
                and self.slots[i].size == size
                and memcmp(self.slots[i].path, path, size) == 0
            ):
                break
            i = i + 1 & self.mask
        return i

    cdef void insert(self, bytes path, Entity entity) noexcept:
        cdef const char* text = PyBytes_AS_STRING(path)
        cdef size_t size = PyBytes_GET_SIZE(path)
        cdef uint64_t hash = hash_of(<const uint8_t*>text, size)
        cdef Slot* slot = &self.slots[self.seek(<const uint8_t*>text, size, hash)]
        slot.entity = <void*>entity
        if slot.path == NULL:
            slot.hash, slot.path, slot.size = hash, text, size

    cdef Entity find(self, const uint8_t* path, size_t size):
        cdef Slot* slot = &self.slots[self.seek(path, size, hash_of(path, size))]
        return None if slot.path == NULL else <Entity>slot.entity

    def put(self, path: str, entity: Entity) -> None:
        """Publish `entity` under the decoded `path`, in place of what was there."""
        cdef bytes key = path.encode()
        cdef Entity checked = entity
        if key not in self.owned and <size_t>(len(self.owned) + 1) * 2 > self.mask:
            self.grow((self.mask + 1) * 2)
        self.insert(key, checked)
        self.owned[key] = checked

    def drop(self, path: str) -> None:
        """Forget `path`; unknown ones are no error."""
        cdef bytes key = path.encode()
        cdef const uint8_t* text = key
        cdef size_t hole, i, home
        if key not in self.owned:
            return
        hole = self.seek(text, len(key), hash_of(text, len(key)))
        i = hole
        while True:
            i = i + 1 & self.mask
            if self.slots[i].path == NULL:
                break
            home = self.slots[i].hash & self.mask
            if (i - home & self.mask) >= (i - hole & self.mask):
                self.slots[hole] = self.slots[i]
                hole = i
        self.slots[hole].path = NULL
        del self.owned[key]

    def get(self, path: str) -> Entity | None:
        """What is served under `path`."""
        cdef bytes key = path.encode()
        return self.find(<const uint8_t*>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))

    def __len__(self) -> int:
        return len(self.owned)
