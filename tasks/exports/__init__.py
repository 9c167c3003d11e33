"""Exports: what changed in the catalogue, as files for the libraries' local systems."""
