"""Bibs that are one: merged, split, undone and looked for as flows do it, and what a run of it says."""
