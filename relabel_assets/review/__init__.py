"""Pairs for people: which are drawn, the page where they are graded, import and export."""
