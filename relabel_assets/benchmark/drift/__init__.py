"""How grades move from one version of a teacher to the next: from a sample of pairs graded by both."""
