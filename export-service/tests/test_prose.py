"""The reader of code in answers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_service.renderers.prose import Code, Paragraph, Span, printable, read_blocks, read_heading, read_line

#: Text in which code may begin and end anywhere; no language has such letters.
backticked = st.text(st.sampled_from("`éü \n\\"), max_size=60)


def code(text: str) -> Span:
    return Span(text, is_code=True)


@pytest.mark.parametrize(
    ("line", "spans"),
    [
        ("use `COPY . .` here", [Span("use "), code("COPY . ."), Span(" here")]),
        ("`a``b`", [code("a``b")]),
        ("`` ` ``", [code("`")]),
        ("`a` and `b`", [code("a"), Span(" and "), code("b")]),
        ("a ` b", [Span("a ` b")]),
        ("``a` b", [Span("``a` b")]),
        ("` a `", [code("a")]),
        ("plain", [Span("plain")]),
        ("", []),
        ("one\n`two\nthree`", [Span("one "), code("two three")]),
    ],
)
def test_backticks_that_pair_hold_code_and_others_are_text(line: str, spans: list[Span]) -> None:
    assert read_line(line) == spans


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("a\nb\n\nc", [Paragraph([[Span("a")], [Span("b")]]), Paragraph([[Span("c")]])]),
        ("a\n```\nx = 1\n\n  y\n```\nb", [Paragraph([[Span("a")]]), Code("x = 1\n\n  y"), Paragraph([[Span("b")]])]),
        ("```python\nx\n```", [Code("x", "python")]),
        ("``` c++  \nx\n```  ", [Code("x", "c++")]),
        ("  ```\n  x\n    y\n  ```", [Code("x\n  y")]),
        ("````\n```\n````", [Code("```")]),
        ("```\nx", [Code("x")]),
        ("```\n```", []),
        ("```\n``", [Code("``")]),
        ("``` two words", [Paragraph([[Span("``` two words")]])]),
        ("```a```", [Paragraph([[code("a")]])]),
        (" \n\t\n", []),
    ],
)
def test_fences_hold_code_and_blank_lines_part_paragraphs(text: str, blocks: list[Paragraph | Code]) -> None:
    assert read_blocks(text) == blocks


def test_a_heading_is_the_first_paragraph_and_the_rest_stays_below() -> None:
    heading, below = read_heading("What does\nthis print?\n\n```\nprint(1)\n```")
    assert heading == [Span("What does"), Span(" "), Span("this print?")]
    assert below == [Code("print(1)")]


def test_a_heading_that_is_code_is_not_lost() -> None:
    assert read_heading("```\nprint(1)\n```") == ([], [Code("print(1)")])


def test_characters_that_steer_terminals_are_taken_out() -> None:
    assert printable("a\x00\x07\x1b[31mb\x7f\x9bc\td\x0be\r\nf") == "a[31mbc\td\ne\r\nf"


@given(backticked)
def test_nothing_but_backticks_and_white_space_is_ever_lost(text: str) -> None:
    read = "".join(
        block.text if isinstance(block, Code) else "".join(span.text for line in block.lines for span in line)
        for block in read_blocks(text)
    )
    assert "".join(read.replace("`", "").split()) == "".join(text.replace("`", "").split())


@pytest.mark.parametrize("unit", ["`", "` ", "```a\n", "``` ", "`a``", " ", "```\n"])
def test_reading_takes_time_in_proportion_to_the_text(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length] + "!"
        started = time.process_time()
        read_blocks(text)
        read_line(text)
        return time.process_time() - started

    # Ten times the text: a quadratic reader would take a hundred times as long.
    assert min(seconds(20_000) for _ in range(3)) < 40 * max(min(seconds(2_000) for _ in range(3)), 0.001)
