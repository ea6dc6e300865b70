"""Runs of systems: what each system found for each query, in TREC's format, and what it is built on."""
