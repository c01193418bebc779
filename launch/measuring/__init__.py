"""How benchmarks measure and what they keep: turns, machine, memory, history."""
