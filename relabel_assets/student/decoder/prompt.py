"""The prompt of a decoder: the rubric or its grades' names, with placeholders for a query and a document.

What belongs here: filling the rubric's texts into the prompt. What does not: placeholders and
escaping (prompts/prompt.py) and the model's own chat template (decoder.py).
"""

from relabel_assets.prompts.prompt import Prompt, checked_prompt, packaged_prompt
from relabel_assets.prompts.rubric import Rubric

# The prompts by their name in corpus.yaml: the file, and its placeholders for texts of the rubric.
_PROMPTS = {
    "rubric": ("student", frozenset({"grades", "guidance", "max_grade"})),
    "short": ("student_short", frozenset({"grade_names"})),
}
_PAIR_PLACEHOLDERS = frozenset({"query", "document"})


def student_prompt(rubric: Rubric, name: str = "rubric") -> Prompt:
    """The prompt of that name with the rubric filled in; query and document are still placeholders.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> prompt = student_prompt(default_rubric())
    >>> sorted(prompt.placeholders)
    ['document', 'query']
    >>> "a whole number from 0 to 3" in prompt.system
    True
    >>> student_prompt(default_rubric(), "short").user.splitlines()[0]
    'Grade how relevant the document is to the query. Answer with one digit: 0 irrelevant, 1 ...
    """
    file, texts_of_rubric = _PROMPTS[name]
    prompt = packaged_prompt(file, required=_PAIR_PLACEHOLDERS, allowed=texts_of_rubric)
    grades = [f"{grade.grade} ({grade.name}): {grade.meaning}" for grade in rubric.grades]
    rules = [f"- {rule}" for rule in rubric.guidance]
    return prompt.partial(
        {
            "grades": "\n".join(grades),
            "grade_names": ", ".join(f"{grade.grade} {grade.name}" for grade in rubric.grades),
            "guidance": "\n".join(rules) or "- (none)",
            "max_grade": str(rubric.max_grade),
        }
    )


def saved_prompt(system: str, user: str) -> Prompt:
    """The prompt of student.json. Raises ConfigError where an edit has removed a placeholder.

    >>> saved_prompt("Grade it.", "{{query}} {{document}}").system
    'Grade it.'
    """
    return checked_prompt(
        system, user, file="student.json", required=_PAIR_PLACEHOLDERS, allowed=frozenset()
    )
