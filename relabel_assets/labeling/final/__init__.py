"""The labels of the graph that people use: which queries only get labels, and whose grade counts."""
