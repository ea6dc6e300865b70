"""One file for each format of documents: bytes in, texts out."""
