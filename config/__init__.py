"""Settings (environment) and the register (typed TOML): everything that is policy or place."""
