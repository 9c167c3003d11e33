"""Expectations on a delivery, Data Docs, conservation."""
