"""rnnlab, a recurrent-network laboratory for JAX.

A cell says what one step computes (`rnnlab.cells`), an engine says how the steps
are executed over time (`rnnlab.engines`), and the rest builds on the two. Importing
this package imports nothing: name the part you want.
"""

__version__ = "0.1.0"
