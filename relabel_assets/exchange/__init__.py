"""Judgments out of the warehouse and back in: one file for each format."""
