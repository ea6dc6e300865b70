"""Documents that are made to fool a grader: the rates of a robustness card."""
