"""One file for each format of judgments, and the list of them."""
