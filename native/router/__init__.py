"""Kernels of routing: polls from the wire, signed state, a draw by shares, a crowd of players."""
