"""What the documents of a corpus say about each other: duplicates, repeated paragraphs, languages."""
