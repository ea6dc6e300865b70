"""Systems ranked by the labels of a corpus."""
