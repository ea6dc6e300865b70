"""The queries of a corpus: those that are provided, near duplicates among them, and their splits."""
