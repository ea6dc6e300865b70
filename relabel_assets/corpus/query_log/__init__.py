"""A search log, and the sample of its queries that stands for all of its searches."""
