"""The patron part of the sample consortium: two weeks of files at three institutions, what staff do, and bench files.

Everything is fictional, depends on the seed alone and needs nothing but Python. What the generator expects of Samkat is
its own word, as in the rest of the sample. docs/sample-consortium.md lists the scenes.
"""

from deployments.sample.patrons.bench import write_bups2
from deployments.sample.patrons.fortnight import PatronDay, PatronFile, patron_fortnight, read_back_path
from deployments.sample.patrons.read_back import read_back_export
from deployments.sample.patrons.stage import DAYS, SceneNote, Sizes, StaffEdit, StaffProtection

__all__ = [
    "DAYS",
    "PatronDay",
    "PatronFile",
    "SceneNote",
    "Sizes",
    "StaffEdit",
    "StaffProtection",
    "patron_fortnight",
    "read_back_export",
    "read_back_path",
    "write_bups2",
]
