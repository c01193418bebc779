"""Data: a source named on the command line -> arrays, time-major.

`text` is the front door for language modelling. Nothing here knows a model, and
nothing here imports jax: what comes out is NumPy.
"""
