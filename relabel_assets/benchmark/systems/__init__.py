"""Rankings of retrieval systems by the grades of labelers."""
