"""Files about staff accounts that are dropped into the landing zone: received, taken in, answered."""
