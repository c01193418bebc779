"""How gradients and states travel through time: measured, for any cell.

- `gradients`: dL/dcarry_t for every t, its norm by lag, and how fast it fades.
- `jacobians`: how a step passes on a change of the state, and how many steps do.
- `lyapunov`: the rates at which small changes grow or die, over a long run.

All are functions of arrays, under `jax.jit` and `jax.vmap` over seeds.
"""
