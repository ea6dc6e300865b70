"""Excerpts of long documents: the passages that a model reads of a body that it cannot read whole."""
