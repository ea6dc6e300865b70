"""Documents that try to fool a student: made for training and for probing."""
