"""Numbers with their nouns in messages.

What belongs here: the choice of singular or plural. What does not: the messages themselves.
"""


def counted(n: int, noun: str) -> str:
    """A number with its noun in the singular or plural.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "query")
    ('1 row', '1,200 rows', '2 queries')
    """
    if n == 1:
        return f"{n:,} {noun}"
    return f"{n:,} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{n:,} {noun}s"
