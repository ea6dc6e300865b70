"""One thin file per table: read tables, call other rooms, return the rows. Assets meet in tables."""
