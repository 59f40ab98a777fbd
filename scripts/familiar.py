"""Write what `citytune-base` was trained on, in numbers, next to its card.

    python scripts/familiar.py

`citytune pretrain` does so for the networks it makes; these weights are older than that.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from citytune.backbones import write_familiar
from citytune.backbones.city import SHIPPED, read_card, read_network
from citytune.pretraining._corpus import read_corpus
from citytune.pretraining._familiar import familiar_with


def main() -> None:
    """Look at every set, then write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    listing = Path(__file__).with_name("citytune-base.toml")
    parser.add_argument("--corpus", type=Path, default=listing, help="its listing")
    options = parser.parse_args()
    corpus = read_corpus([options.corpus], progress=lambda what, _: print(what, flush=True))
    clocks = {clock for one in read_card(SHIPPED)[1]["corpus"] for clock in one["clocks"]}
    found = familiar_with(read_network(SHIPPED), corpus.sources, clocks)
    assert found is not None, "the corpus is large enough"
    write_familiar(SHIPPED, found)
    print(f"{found.windows} windows; 95 % lie within {found.far:.2f}")


if __name__ == "__main__":
    main()
