"""The commands of `relabel review`."""
