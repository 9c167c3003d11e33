"""The stock of joining libraries: sorted by what was found, held for approval, attached, and told as files."""
