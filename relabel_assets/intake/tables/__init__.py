"""Tables of rows in any format: one strict reader for documents, queries, grades and pairs."""
