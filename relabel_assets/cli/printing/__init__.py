"""What commands print: one file for each command with much to print."""
