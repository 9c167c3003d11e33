"""From bytes to records: ISO2709, MARCXML, character sets, ISBN, normalisation, facts."""
