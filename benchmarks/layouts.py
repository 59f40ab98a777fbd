"""How many drawn layouts of tables are read rightly at once, by each of their dimensions.

    python benchmarks/layouts.py [COUNT]

Exits 1 if one is read wrongly.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from layouts import draw, verdict


def main(count: int = 2000, first: int = 1000) -> int:
    """Print the shares; the number of wrong ones."""
    warnings.simplefilter("ignore")
    shares: dict[tuple[str, str], list[bool]] = defaultdict(list)
    wrong, begun = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            drawn = draw(seed)
            path = Path(folder, "table.csv")
            path.write_bytes(drawn.data)
            said = verdict(drawn, path)
            if said != "right":
                print(seed, said[:200], drawn.dimensions, sep="\t")
            wrong += said.startswith("WRONG")
            for dimension, value in (*drawn.dimensions.items(), ("all", "")):
                shares[dimension, value].append(said == "right")
    print(f"\n{'dimension':<14}{'value':<22}{'tables':>8}{'right at once':>16}")
    for (dimension, value), found in sorted(shares.items()):
        print(f"{dimension:<14}{value!r:<22}{len(found):>8}{sum(found) / len(found):>16.1%}")
    print(f"{count} tables, {wrong} wrong, {time.monotonic() - begun:.0f} s")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
