"""One thin file per table: read tables, call other packages, return rows."""
