"""What few days cannot have shown, and Student's allowance for it."""

from __future__ import annotations


def t_inflation(freedom: float) -> float:
    """How much wider t's central 90 % is than a normal's (Cornish and Fisher 1938).

    >>> round(t_inflation(4), 2), round(t_inflation(30), 2)
    (1.29, 1.03)
    """
    z = 1.6449
    wider = (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return 1 + wider / z
