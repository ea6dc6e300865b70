"""Numbers with their nouns in messages.

What belongs here: the choice of singular or plural. What does not: the messages themselves.
"""


def counted(n: int, noun: str) -> str:
    """A number with its noun in the singular or plural.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "query"), counted(2, "key"), counted(2, "search")
    ('1 row', '1,200 rows', '2 queries', '2 keys', '2 searches')
    """
    if n == 1:
        return f"{n:,} {noun}"
    if noun.endswith(("ch", "sh")):
        return f"{n:,} {noun}es"
    has_ies = noun.endswith("y") and noun[-2:-1] not in "aeiou"  # queries, but keys
    return f"{n:,} {noun.removesuffix('y')}ies" if has_ies else f"{n:,} {noun}s"
