"""One thin file per table: read tables, call core, return the rows. Assets never import each other: they meet in tables."""
