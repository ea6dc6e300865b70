"""Grades in a corpus folder: of a recorded teacher, of reference files, and imported ones."""
