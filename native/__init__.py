"""Cython kernels: they know bytes, no rooms."""
