"""What is held about a person, as a whole: disclosed, erased everywhere, forgotten and shredded in time."""
