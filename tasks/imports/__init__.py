"""Imports from other bases: the plan that a person approves, and its samples."""
