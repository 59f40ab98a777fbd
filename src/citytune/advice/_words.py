"""Numbers and lists as a person writes them."""

from __future__ import annotations

from collections.abc import Sequence


def percent(share: float, digits: int = 0) -> str:
    """A share, without a sign where it rounds to nothing.

    >>> percent(0.123), percent(-0.0001, 1), percent(-0.02, 1)
    ('12 %', '0.0 %', '−2.0 %')
    """
    text = f"{100 * share:.{digits}f} %"
    return text.removeprefix("-") if not float(text[:-2]) else text.replace("-", "−")


def more_or_less(share: float, what: str = "error") -> str:
    """How a gain reads.

    >>> more_or_less(0.05), more_or_less(-0.05), more_or_less(1e-5)
    ('5.0 % lower error', '5.0 % higher error', 'the same error')
    """
    if percent(share, 1) == "0.0 %":
        return f"the same {what}"
    return f"{percent(abs(share), 1)} {'lower' if share > 0 else 'higher'} {what}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
