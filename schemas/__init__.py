"""Contracts without I/O: warehouse tables by layer, record types, register types, expectations, errors."""
