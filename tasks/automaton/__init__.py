"""Cellular automata on a ring, simulated exactly and fast: 64 configurations to a machine word."""
