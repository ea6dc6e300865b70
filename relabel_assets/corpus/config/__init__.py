"""The settings of a corpus.yaml: a section a module, and parsing the file."""
