"""Candidates, evidence, verdict."""
