"""What the readers of formats with a parser share, and the process in which they run."""
