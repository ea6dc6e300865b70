"""A corpus folder made out of whatever a user has."""
