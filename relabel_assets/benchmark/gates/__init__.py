"""Verdicts on a labeler: the gate on quality, shifts of grades, and too little training."""
