"""What several equations use."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def norm(a):
    return (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5)
