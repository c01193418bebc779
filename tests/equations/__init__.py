"""Each cell's equation in NumPy, (params, carry, x_t) -> (carry, y_t), after its paper.

`PARAMETERS` counts what the paper's formula counts, for I inputs and H units.
"""

from equations import basic, classic, dynamic, parallel, structured

FAMILIES = (basic, classic, dynamic, parallel, structured)
EQUATIONS = {k: v for family in FAMILIES for k, v in family.EQUATIONS.items()}
PARAMETERS = {k: v for family in FAMILIES for k, v in family.PARAMETERS.items()}
