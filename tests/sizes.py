"""How large the cells of the tests are: as little as tells axes apart."""

I, H = 3, 6  # noqa: E741
GRID = (2, 3)
