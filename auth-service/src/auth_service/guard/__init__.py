"""The brute-force guard: wrong passwords and codes cost more and more time."""
