"""Reads the questions out of a structured reply while it comes: each as soon as its object is whole."""

import re

from pydantic import ValidationError

from qa_service.generation.schemas import GeneratedQuestion

#: A question stands in the array that is a field of the reply's object: `{"questions": [{…}]}`.
_DEPTH = 2
_OUTSIDE = re.compile(r'["{}\[\]]')
_INSIDE = re.compile(r'["\\]')


class QuestionReader:
    """Fed with the content so far, again and again; each character is looked at once."""

    def __init__(self) -> None:
        self._at = 0
        self._depth = 0
        self._start = -1
        self._in_string = False

    def feed(self, content: str) -> list[str]:
        """The JSON of the questions that have become whole since the last time. `content`: all that has come."""
        found: list[str] = []
        while True:
            match = (_INSIDE if self._in_string else _OUTSIDE).search(content, self._at)
            if match is None:
                self._at = len(content)
                return found
            if match[0] == "\\" and match.end() == len(content):
                self._at = match.start()  # what it escapes has not come yet
                return found
            self._at = match.end() + (match[0] == "\\")
            if self._ends(match[0], match.start()):
                found.append(content[self._start : self._at])

    def _ends(self, sign: str, position: int) -> bool:
        """Whether a question ends with this sign."""
        if sign == '"':
            self._in_string = not self._in_string
        elif sign in "{[":
            if sign == "{" and self._depth == _DEPTH:
                self._start = position
            self._depth += 1
        elif sign in "}]":
            self._depth -= 1
            return sign == "}" and self._depth == _DEPTH
        return False


def read_question(piece: str) -> GeneratedQuestion | None:
    """None when it does not fit the schema."""
    try:
        return GeneratedQuestion.model_validate_json(piece)
    except ValidationError:
        return None
