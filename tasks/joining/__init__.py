"""Libraries that join: their applications checked, entered in the register and welcomed; holdings that stand still."""
