"""The sample consortium: a seeded generator of a union catalogue, one night of deliveries, and benchmark files.

Its persons, and two weeks of their files, are in the package `patrons`.

Everything is fictional. The same seed gives the same bytes on every supported Python. Nothing here knows the rest of
Samkat but the record type of `schemas.marc`: what the generator expects of the pipeline is its own word, so that a
mistake of the pipeline cannot hide in it. `python -m deployments.sample --help` writes files; docs/sample-consortium.md
tells what they show.
"""

from deployments.sample.bench import write_bench_catalogue, write_bench_delivery
from deployments.sample.catalogue import write_catalogue
from deployments.sample.night import SAMPLE_NIGHT, write_night

__all__ = ["SAMPLE_NIGHT", "write_bench_catalogue", "write_bench_delivery", "write_catalogue", "write_night"]
