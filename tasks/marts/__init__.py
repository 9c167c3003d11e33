"""Marts: what the promised views say, as files by day that analysts open with their own tools."""
