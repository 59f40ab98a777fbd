"""Small real data sets that ship with citytune, to try things on; see `data/SOURCES.md`."""

from citytune._sample._samples import SAMPLES, Sample, sample

__all__ = ["SAMPLES", "Sample", "sample"]
