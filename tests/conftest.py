"""One compilation cache for the session: equal programs are compiled once."""

import os
import tempfile

import jax

_CACHE = tempfile.TemporaryDirectory(prefix="rnnlab-tests-")

# In the environment too, for the commands that tests start.
os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
jax.config.update("jax_compilation_cache_dir", _CACHE.name)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
