# cython: auto_pickle=False
"""Where segments of open films are asked for: {folder}/{number}.m4s, without a Request (HT-6)."""

cimport cython
from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from native.film.press cimport Press
from native.http.desk cimport Desk
from native.http.entity cimport Answer
from native.http.parser cimport Head
from native.http.target cimport Target

cdef enum:
    SUFFIX = 4
    DIGITS = 9


@cython.final
cdef class Counter(Desk):
    cdef dict presses
    cdef readonly unsigned long long answers

    def __cinit__(self):
        self.presses = {}

    def put(self, str folder, Press press not None):
        self.presses[folder.encode()] = press

    def drop(self, str folder):
        self.presses.pop(folder.encode(), None)

    def clear(self):
        self.presses.clear()

    cdef Answer ask(self, const uint8_t* data, Head* head, Target* target, str peer):
        cdef const uint8_t* path = target.path
        cdef Py_ssize_t end = <Py_ssize_t>target.path_size - SUFFIX, at = end, number = 0, i
        cdef Press press
        cdef Answer answer
        if end < 3 or memcmp(path + end, b".m4s", SUFFIX):
            return None
        while at and 48 <= path[at - 1] <= 57:
            at -= 1
        if not 0 < end - at <= DIGITS or path[at] == 48 or not at or path[at - 1] != 47:
            return None
        press = self.presses.get((<const char*>path)[: at - 1])
        if press is None:
            return None
        for i in range(at, end):
            number = 10 * number + path[i] - 48
        answer = press.answer(number)
        self.answers += answer is not None
        return answer
