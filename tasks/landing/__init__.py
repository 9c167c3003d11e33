"""The landing zone: where files wait, are fetched, fingerprinted, unpacked, archived, quarantined."""
