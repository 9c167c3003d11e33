"""Runs that were cut off: which are dead, which are taken up again, when it is enough (docs/runbook.md)."""
