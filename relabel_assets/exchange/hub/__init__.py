"""A student and a set of labels in the shape of the Hugging Face hub, in a folder or on the hub."""
