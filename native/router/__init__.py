"""Kernels of routing: a draw by shares, and a crowd of simulated players."""
