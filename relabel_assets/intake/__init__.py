"""What comes from outside: its limits, text, JSON, YAML, files. One bad input costs itself."""
