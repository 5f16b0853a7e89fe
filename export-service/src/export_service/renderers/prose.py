"""The little markup that answers are written in: `code` in backticks, code between fences, paragraphs. It is read here
and handed on as data; everything else that people and models type is text and nothing more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

#: Its indentation, itself, the language. With more words behind it a line is text: none of them shall be lost.
_FENCE = re.compile(r"(\s*)(`{3,}) ?([\w+#.-]{0,20})", re.ASCII)
#: Runs of backticks, and what is between them.
_PIECES = re.compile(r"`+|[^`]+")
#: C0 and C1 (Unicode, 'Control Codes') but tab and line breaks; word processors break lines with some of the others.
_CONTROLS: dict[int, str | None] = {
    **{code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"},
    **dict.fromkeys((0x0B, 0x0C, 0x85), "\n"),
}


@dataclass(frozen=True)
class Span:
    """A part of a line."""

    text: str
    is_code: bool = False


Line = Sequence[Span]


@dataclass(frozen=True)
class Paragraph:
    """Lines, as they were typed. None is blank."""

    lines: Sequence[Line]


@dataclass(frozen=True)
class Code:
    """Lines of code, without the fences; `language` is what the opening fence names, if anything."""

    text: str
    language: str = ""


Block = Paragraph | Code


def read_blocks(text: str) -> list[Block]:
    """The paragraphs and the fenced code of a text, by CommonMark's rules for fences: one that nobody closes lasts to
    the end."""
    reader = _Reader()
    for line in printable(text).splitlines():
        reader.take(line)
    reader.end()
    return reader.blocks


def read_line(text: str) -> list[Span]:
    """A text as one line: white space is one space. A backtick without a partner is text."""
    return _spans(one_line(text))


def read_heading(text: str) -> tuple[Line, list[Block]]:
    """The first paragraph as one line, and the blocks below it."""
    blocks = read_blocks(text)
    if not blocks or isinstance(blocks[0], Code):
        return [], blocks
    first, *others = blocks[0].lines
    return [*first, *(span for line in others for span in (Span(" "), *line))], blocks[1:]


def one_line(text: str) -> str:
    """Printable text in which white space is one space; backticks are backticks."""
    return " ".join(printable(text).split())


def printable(text: str) -> str:
    """Without control characters: they have no glyph, and some steer the terminal that shows a file."""
    return text.translate(_CONTROLS)


@dataclass
class _Reader:
    blocks: list[Block] = field(default_factory=list)
    _lines: list[Line] = field(default_factory=list)
    _code: list[str] = field(default_factory=list)
    _fence: re.Match[str] | None = None

    def take(self, line: str) -> None:
        if self._fence is not None:
            self._take_code(line, self._fence)
        elif opening := _FENCE.fullmatch(line.rstrip()):
            self.end()
            self._fence = opening
        elif line.strip():
            self._lines.append(_spans(line.strip().replace("\t", " ")))
        else:
            self.end()

    def end(self) -> None:
        """Ends the block that is open."""
        if self._fence is not None:
            if any(line.strip() for line in self._code):
                self.blocks.append(Code("\n".join(self._code), self._fence[3]))
        elif self._lines:
            self.blocks.append(Paragraph(self._lines))
        self._lines, self._code, self._fence = [], [], None

    def _take_code(self, line: str, opening: re.Match[str]) -> None:
        closing = line.strip()
        if closing.startswith(opening[2]) and not closing.strip("`"):
            self.end()
        else:
            self._code.append(line.removeprefix(opening[1]))


def _spans(line: str) -> list[Span]:
    pieces = _PIECES.findall(line)
    partners = _partners(pieces)
    spans: list[Span] = []
    text: list[str] = []
    position = 0
    while position < len(pieces):
        if partner := partners.get(position):
            spans += [Span("".join(text)), Span(_stripped("".join(pieces[position + 1 : partner])), is_code=True)]
            text = []
            position = partner + 1
        else:
            text.append(pieces[position])
            position += 1
    return [span for span in [*spans, Span("".join(text))] if span.text]


def _partners(pieces: Sequence[str]) -> dict[int, int]:
    """For each run of backticks the next run of the same length, in one walk from the end."""
    partners: dict[int, int] = {}
    later: dict[str, int] = {}
    for position in range(len(pieces) - 1, -1, -1):
        piece = pieces[position]
        if piece.startswith("`"):
            if piece in later:
                partners[position] = later[piece]
            later[piece] = position
    return partners


def _stripped(code: str) -> str:
    """CommonMark's rule: one space at both ends goes, so that code may begin with a backtick."""
    return code[1:-1] if code.startswith(" ") and code.endswith(" ") and code.strip() else code
