"""What in an answer may count: where a quote stands in it, and which sentences speak to the grader instead of
answering.

Positions are counted in Unicode code points, `[start, end)`.
"""

import re
import unicodedata
from dataclasses import dataclass

#: Letters and digits that a quote must have, unless it is the whole answer: `the` is evidence of nothing.
LEAST_QUOTE = 8
_SENTENCE = re.compile(r"[^.!?;\n\u3002\uff01\uff1f]+[.!?;\u3002\uff01\uff1f]*")
_STOP_IT = r"\b(?:ignore|disregard|forget|override|bypass)\b"
_RULES = r"(?:instructions?|prompts?|rules?|rubric|guidelines)\b"
_OURS = r"(?:your|these|those|previous|prior|preceding|earlier|grading|system)"
_GRADER = r"(?:grader|examiner|evaluator|ai|model|language model|assistant)"
_GIVE = r"\b(?:give|award|assign|grant|grade|rate|score|mark|judge)\b"
_ANSWER = r"(?:(?:this|my|the) (?:answer|response|attempt|submission|candidate)|me|everything|it all)"
_MARKS = r"(?:score|marks?|grade|points|rating)"
_BEST = rf"(?:100|10\s*/\s*10|(?:full|perfect|maximum|max|highest|top|best) {_MARKS})"
#: Sentences that are addressed to whoever grades. Matched against lower case without invisible characters.
_TO_THE_GRADER = re.compile(
    "|".join(
        (
            rf"{_STOP_IT}(?:\W+\w+){{0,3}}?\W+{_OURS}(?:\W+\w+){{0,2}}?\W+{_RULES}",
            rf"{_STOP_IT}\W+(?:all|any)(?:\W+of)?(?:\W+the)?\W+(?:instructions|prompts)",
            rf"{_STOP_IT}(?:\W+\w+){{0,3}}?\W+{_RULES}\W+(?:above|before)",
            rf"{_STOP_IT}.{{0,20}}\b(?:everything|all|what)\b.{{0,30}}\b(?:above|before|previous|told)",
            r"\b(?:ignoriere?n?|ignora|ignorez|oublie[zr]?)\b.{0,40}\b(?:anweisungen|instrucciones|instructions|consignes)",
            rf"{_GIVE}.{{0,10}}\b{_ANSWER}\b.{{0,40}}(?:{_BEST}|covered|excellent)",
            rf"\b(?:give|award|assign|grant)\b(?: an?| the)?(?: {_MARKS})?(?: of)? {_BEST}\W*$",
            rf"\b(?:score|grade|rating) (?:is|must be|should be|shall be|:) ?{_BEST}",
            r"\b(?:mark|treat|count|consider|judge|label)\b.{0,20}\b(?:all|every|each)\b.{0,20}\b(?:key )?points?\b",
            r"\ball (?:of the )?(?:key )?points (?:are|have been|were) (?:fully )?covered",
            rf"\byou are (?:now )?(?:an? |the )?(?:\w+ )?{_GRADER}\b",
            rf"\b(?:as an? )?{_GRADER}\b,? you (?:must|should|will|are)\b",
            r"^\W*(?:system|developer|assistant) ?(?:prompt|message)? ?:",
            rf"\b(?:note to|dear) (?:the )?{_GRADER}\b",
        )
    )
)


@dataclass(frozen=True)
class Span:
    """A piece of a text: `[start, end)`."""

    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        return self.start < other.end and other.start < self.end


class Answer:
    """An answer, in which quotes are looked up whatever their case, punctuation and spacing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ignored = [span for span in _sentences(text) if _speaks_to_the_grader(text[span.start : span.end])]
        self._folded, self._positions = _folded(text)

    @property
    def counted(self) -> str:
        """The text without what speaks to the grader."""
        kept, position = [], 0
        for span in self.ignored:
            kept.append(self.text[position : span.start])
            position = span.end
        return " ".join(part.strip() for part in [*kept, self.text[position:]] if part.strip())

    def find(self, quote: str) -> Span | None:
        """Where a quote stands, in a piece that counts; None: nowhere, or it is too short to say anything."""
        wanted = _folded(quote)[0]
        if not wanted or (len(wanted.replace(" ", "")) < LEAST_QUOTE and wanted != self._folded):
            return None
        start = self._at(wanted, 0)
        while start is not None:
            span = Span(self._positions[start], self._positions[start + len(wanted) - 1] + 1)
            if not any(span.overlaps(ignored) for ignored in self.ignored):
                return span
            start = self._at(wanted, start + 1)
        return None

    def _at(self, wanted: str, begin: int) -> int | None:
        """The next place where it stands as whole words."""
        place = f" {self._folded} ".find(f" {wanted} ", begin)
        return None if place < 0 else place


def fold(text: str) -> str:
    """Letters and digits in one case, single spaces: equal for what reads the same."""
    return _folded(text)[0]


def _folded(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters the position in the original."""
    characters: list[str] = []
    positions: list[int] = []
    for position, character in enumerate(text):
        if unicodedata.category(character) == "Cf":
            continue
        for piece in unicodedata.normalize("NFKD", character).casefold():
            is_word = unicodedata.category(piece)[0] in "LMN"
            if is_word or (characters and characters[-1] != " "):
                characters.append(piece if is_word else " ")
                positions.append(position)
    if characters and characters[-1] == " ":
        characters.pop()
        positions.pop()
    return "".join(characters), positions


def _sentences(text: str) -> list[Span]:
    return [Span(found.start(), found.end()) for found in _SENTENCE.finditer(text) if found[0].strip()]


def _speaks_to_the_grader(sentence: str) -> bool:
    visible = "".join(character for character in sentence if unicodedata.category(character) != "Cf")
    plain = " ".join(unicodedata.normalize("NFKC", visible).casefold().split())
    return _TO_THE_GRADER.search(plain) is not None
