"""What people are told: digests, rejects, worklists; the outbox and sending."""
