"""Patrons: files of institutions into persons, and what each of them promises. Pure; nothing here knows a database."""
