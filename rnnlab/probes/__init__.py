"""How gradients and states travel through time: measured, for any cell.

- `gradients`: dL/dcarry_t for every t, its norm by lag, how fast it fades, how far it
  reaches.
- `gates`: what the sigmoids and tanhs of a step give, what is kept, the state's norm.
- `jacobians`: how a step passes on a change of the state, and how many steps do.
- `lyapunov`: the rates at which small changes grow or die, over a long run.
- `truncation`: what truncated backpropagation loses beside the full gradient.
- `updates`: how far an update moves parameters, how noisy a gradient is.

All are functions of arrays, under `jax.jit` and `jax.vmap` over seeds.
"""
