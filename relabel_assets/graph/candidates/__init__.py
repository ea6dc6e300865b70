"""The table of candidates in the graph: what they are chosen by, and its checks."""
