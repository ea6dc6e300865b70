"""The exception of one input that cannot be used.

What belongs here: that exception. What does not: what becomes of the input (one_input.py). It imports
nothing, so that a parser's process starts quickly.
"""


class SetAside(Exception):
    """This input cannot be used. The message names the culprit, the remedy what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy
