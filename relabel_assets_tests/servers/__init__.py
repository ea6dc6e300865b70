"""One test module for each server that docs/teacher.md names: it answers in that server's own words."""
