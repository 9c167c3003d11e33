"""Flows: one pipeline a file; the body of a flow reads as the list of its stages."""
