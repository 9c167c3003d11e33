"""Instant updates of patrons as stages; what they do stands in tasks/patrons/instant.py and instant_batch.py."""
