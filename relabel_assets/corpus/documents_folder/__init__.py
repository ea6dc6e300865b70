"""The folder documents/ of a corpus: which of its files are read, and the documents in them."""
