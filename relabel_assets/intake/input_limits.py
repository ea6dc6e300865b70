"""The limits on everything that comes from outside: bytes, characters, depth and seconds.

What belongs here: the numbers. What does not: checking them (the other modules of this folder, and the
readers of corpora and replies).

None of them is measured. Each is far above what honest inputs need, and low enough that one input
takes seconds and megabytes, not minutes and gigabytes.
"""

KIB, MIB, GIB = 1024, 1024**2, 1024**3

# Files of a corpus
MAX_SETTINGS_BYTES = 256 * KIB  # corpus.yaml, a rubric, a prompt: some 60 pages
MAX_FRONT_MATTER_BYTES = 64 * KIB
MAX_DOCUMENT_FILE_BYTES = 16 * MIB  # one Markdown or text file
MAX_ROWS_FILE_BYTES = 8 * GIB  # documents.jsonl and other files of many rows
# Texts of documents shrink to a tenth in a Parquet file. A file of 250 KB that holds 2 GB is an attack.
MAX_UNPACKED_TIMES = 100
MAX_UNPACKED_IN_ANY_CASE = 256 * MIB  # characters: a small file of a few equal documents is none
# A JSON array is parsed whole. JSON Lines, which are not, hold as much as a file may have.
MAX_ARRAY_BYTES = 512 * MIB
# A spreadsheet is unpacked whole, too, in a process of its own.
MAX_SHEET_FILE_BYTES = 256 * MIB
# A row. Without a limit, a file without line breaks would fill the memory.
MAX_LINE_BYTES = 32 * MIB
MAX_FOLDER_DEPTH = 64
MAX_LINKED_FILES = 100_000  # found through links to folders
# Rows of one file that cannot be used. A file with more is of another kind, and may have billions.
MAX_UNUSABLE_ROWS = 100_000

# Cells of a row, in characters
MAX_ID_CHARACTERS = 1_000
MAX_FIELD_CHARACTERS = 10_000  # title, author, path, ...: they head every window of a document
MAX_QUERY_CHARACTERS = 4_000
MAX_BODY_CHARACTERS = 4_000_000  # some 1,500 pages, which a student reads in about two minutes

# JSON and YAML
MAX_JSON_DEPTH = 64
MAX_YAML_DEPTH = 16
MAX_INTEGER_DIGITS = 300  # a longer integer in JSON is read as a float, which is then infinite

# Replies of a teacher
MAX_REPLY_BYTES = 8 * MIB  # unpacked. A reply with log probabilities of 1,000 tokens has 0.5 MiB
MAX_ERROR_CHARACTERS = 10_000  # of a body that is not JSON: a page of HTML, kept in the ledger
MAX_TOKENS = 1_000_000_000  # in one response's usage
MAX_LEDGER_LINE_BYTES = 64 * MIB

# Backups that are restored. A whole one unpacks to a few times its size; --max-gb sets another limit.
MAX_UNPACKED_RATIO = 50
MIN_UNPACKED_LIMIT_BYTES = 2 * GIB
MAX_ARCHIVE_FILES = 1_000_000

# Queries of `relabel sql`, each in a process of its own
QUERY_MEMORY_BYTES = 4 * GIB  # of DuckDB, which then writes to the disk
QUERY_DISK_BYTES = 16 * GIB
MAX_RESULT_BYTES = 2 * GIB
QUERY_IDLE_S = 600  # without a row, of a query that gives documents

# Parsers of binary formats, each in a process of its own
PARSER_MEMORY_BYTES = 4 * GIB
PARSER_IDLE_S = 60  # without a row or a page
PARSER_FILE_S = 600  # one document: at 20 pages a second, more than MAX_PDF_PAGES
MAX_PDF_PAGES = 5_000  # MAX_BODY_CHARACTERS are some 1,500 pages of text
MAX_PARSED_FILE_BYTES = 128 * MIB  # HTML, PDF, DOCX, PPTX: most of a large one is pictures
MAX_METADATA_CHARACTERS = 64 * KIB  # as JSON: what a file states beside title, author and date
# Zip archives, DOCX and PPTX, which are zip archives too
MAX_ARCHIVE_BYTES = 256 * MIB
MAX_ARCHIVE_MEMBERS = 100_000
MAX_ARCHIVE_UNPACKED_BYTES = 2 * GIB
MAX_OFFICE_UNPACKED_BYTES = 512 * MIB
