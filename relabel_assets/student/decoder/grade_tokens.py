"""The tokens of the grades.

What belongs here: which tokens answer a prompt. What does not: the prompt (decoder.py), and the logits
of these tokens (next_token.py).
"""

from collections.abc import Callable

from relabel_assets.errors import StudentError


def grade_tokens(
    token_ids: Callable[[str], list[int]], prompt: str, n_grades: int, model: str
) -> tuple[int, ...]:
    """The token id of each grade's digit as the answer to `prompt`.

    `token_ids` tokenizes a text as prompts are; messages name the `model`. Raises StudentError where
    an answer is not one token after the prompt's own, each grade another: a tokenizer may have no
    token for a digit, or join it with the prompt's last letters.

    >>> letters = lambda text: [ord(letter) for letter in text]
    >>> grade_tokens(letters, "Grade: ", 4, "letters")
    (48, 49, 50, 51)
    >>> grade_tokens(lambda text: [len(text)], "Grade: ", 4, "words")
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: the tokenizer of 'words' has no token of its own for the grade 0 ...
    """
    start = token_ids(prompt)
    tokens: list[int] = []
    for grade in range(n_grades):
        answered = token_ids(f"{prompt}{grade}")
        if len(answered) != len(start) + 1 or answered[:-1] != start or answered[-1] in tokens:
            raise StudentError(
                f"the tokenizer of {model!r} has no token of its own for the grade {grade} after "
                "the prompt, and a decoder answers with one token. Choose another base_model, "
                "or a rubric of grades from 0 to 9."
            )
        tokens.append(answered[-1])
    return tuple(tokens)
