"""Warehouse tables by layer (raw, stage, core) and the promised out views."""
