"""Calibration to people: a student's grades as people would give them."""
