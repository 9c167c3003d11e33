"""The command line: each command runs one flow or reads one view."""
