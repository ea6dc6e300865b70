"""relabel-assets: a folder of documents in, relevance labels and a small model that grades like its teacher out."""
