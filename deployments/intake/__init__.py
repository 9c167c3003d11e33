"""The intake service (BUPS 3): institutions tell of one person at a time over HTTP. docs/intake.md is its page.

HTTP is here and nothing else: what an update does stands in tasks/patrons/instant.py.
"""
