"""Markdown, as a CommonMark parser understands it."""

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from export_service.renderers.content import Content, Item
from export_service.renderers.labels import LABELS
from export_service.renderers.markdown import render_markdown
from export_service.renderers.prose import printable

#: With the two extensions that most viewers have.
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NewContent = Callable[..., Content]


def parsed(content: Content) -> list[Token]:
    return PARSER.parse(render_markdown(content).decode())


def all_tokens(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from all_tokens(token.children or [])


def shown(tokens: list[Token]) -> str:
    """What a reader sees, with all white space as one space."""
    pieces = [
        " " if token.type in {"softbreak", "hardbreak", "inline"} else token.content
        for token in all_tokens(tokens)
        if token.type in {"softbreak", "hardbreak", "text", "code_inline", "fence", "inline", "code_block"}
    ]
    return " ".join("".join(pieces).split())


def plain(text: str) -> str:
    return " ".join(printable(text).split())


def everywhere(text: str) -> Content:
    """The text as each field that holds prose."""
    item = Item("0" * 24, plain(text), text, "easy", text, [text], [text], is_pinned=True, notes=text)
    return Content("0" * 24, text, text, text, [text], "2026-03-05T10:00:00Z", [item])


def expected(text: str, difficulty: str) -> str:
    text = plain(text)
    everything = (
        f"{text} {text}, {text} Topics: {text} {text} 1. 📌 {text} {difficulty} {text} "
        f"Key points {text} Follow-up questions {text} My notes {text}"
    )
    return " ".join(everything.split())


def test_hostile_text_is_shown_as_it_is(hostile: str, hostile_content: Content) -> None:
    assert shown(parsed(hostile_content)) == expected(hostile, plain(hostile))


def test_hostile_text_makes_no_structure_of_its_own(hostile_content: Content, content: NewContent) -> None:
    kinds = {token.type for token in all_tokens(parsed(hostile_content))}
    harmless = {token.type for token in all_tokens(parsed(content(is_pinned=True, answer="a\nb")))}
    assert kinds <= harmless


@pytest.mark.parametrize("mark", ["$x$ and $$y$$", "a\n:-:", "[ ]", "|"])
def test_what_other_readers_of_markdown_take_for_a_mark_is_escaped_too(mark: str, content: NewContent) -> None:
    text = render_markdown(content(answer=mark)).decode()
    assert re.findall(r"(?<!\\)[$|\[\]]|^:", text, re.MULTILINE) == []


@given(st.text(max_size=80).map(lambda text: text.replace("`", "'")).filter(plain))
def test_no_text_at_all_changes_what_is_shown(text: str) -> None:
    assert shown(parsed(everywhere(text))) == expected(text, "easy")


@given(st.text(st.sampled_from("`~<>[]()!#*_-+=:.1\\&|$ \n\tab"), max_size=60))
def test_no_mix_of_marks_makes_structure(text: str) -> None:
    tokens = parsed(everywhere(text))
    allowed = {"heading", "paragraph", "inline", "text", "em", "strong", "bullet_list", "list_item", "hardbreak"}
    allowed |= {"code_inline", "fence"}
    assert {token.type.removesuffix("_open").removesuffix("_close") for token in all_tokens(tokens)} <= allowed
    assert sum(token.type == "heading_open" for token in tokens) == 3
    assert sum(token.type == "list_item_open" for token in tokens) == 2


@pytest.mark.parametrize("locale", LABELS)
def test_the_words_of_ours_are_in_the_language_asked_for(locale: str, content: NewContent) -> None:
    labels = LABELS[locale]
    lines = render_markdown(content(locale=locale, difficulty="hard")).decode().splitlines()
    assert f"{labels.topics}: Topic" in lines
    assert f"*{labels.level('hard')}*" in lines
    words = [labels.key_points, labels.follow_ups, labels.notes]
    assert [line for line in lines if line.startswith("**")] == [f"**{word}**" for word in words]


@pytest.mark.parametrize("code", ["x = 1", "a``b", "`", "<b>", "a  b", "*x*", "\\", "#panic()"])
def test_inline_code_comes_out_as_the_same_code(code: str, content: NewContent) -> None:
    tokens = parsed(content(answer=f"Use ``` {code} ``` here."))
    assert [token.content for token in all_tokens(tokens) if token.type == "code_inline"] == [code]


@pytest.mark.parametrize("code", ["def f():\n    return 1", "```\nnot the end\n```", "<b>\n\n# no heading", "\tx"])
def test_fenced_code_comes_out_as_the_same_code(code: str, content: NewContent) -> None:
    tokens = parsed(content(answer=f"Before\n`````python\n{code}\n`````\nafter"))
    assert [(token.info, token.content) for token in tokens if token.type == "fence"] == [("python", code + "\n")]


def test_the_lines_of_a_paragraph_stay_lines(content: NewContent) -> None:
    html = PARSER.render(render_markdown(content(answer="one\ntwo\n\nthree")).decode())
    assert "<p>one<br />\ntwo</p>\n<p>three</p>" in html


def test_a_question_of_several_paragraphs_is_a_heading_with_the_others_below(content: NewContent) -> None:
    html = PARSER.render(render_markdown(content(text="What is\nthis?\n\n```\nx = 1\n```")).decode())
    assert "<h3>1. What is this?</h3>\n<p><em>easy</em></p>\n<pre><code>x = 1\n</code></pre>" in html


def test_questions_stand_under_their_topics_and_are_numbered_throughout(content: NewContent) -> None:
    items = [Item(f"{n:024x}", f"Q{n}?", "", "easy", topic, [], [], False, "") for n, topic in enumerate("ABA")]
    lines = render_markdown(content(items=items)).decode().splitlines()
    assert [line for line in lines if line.startswith("#")] == [
        "# Title",
        "## A",
        "### 1. Q0?",
        "### 2. Q2?",
        "## B",
        "### 3. Q1?",
    ]
