"""Overlay, bibs, holdings, history, review, undo."""
