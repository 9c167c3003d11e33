"""Deciding in the Prefect UI: what waits for a person, shown and asked in a form (docs/plans.md)."""
