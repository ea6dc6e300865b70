"""What was computed from files of a corpus, kept in RELABEL_HOME for the next look at them."""
