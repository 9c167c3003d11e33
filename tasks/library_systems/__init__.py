"""Talking with library systems: what they hold is read back, what Samkat has changed is sent to them."""
