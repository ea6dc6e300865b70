"""Checks on the versions of a teacher: whether they are mixed, and how far a new one moved the grades."""
