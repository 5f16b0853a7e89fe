"""What the writing of a document asks for: the fonts of East Asia, lines from right to left."""

import re
from collections.abc import Iterator
from unicodedata import bidirectional

from export_service.renderers.content import Content

_KANA = re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
#: Hebrew, Arabic and their neighbours, with the presentation forms and the blocks of plane 1.
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")


def east_asian_language(content: Content) -> str:
    """The BCP 47 tag of what is Chinese, Japanese or Korean: one Han character has a shape in each of them."""
    if content.layout.locale == "ja" or any(map(_KANA.search, _texts(content))):
        return "ja-JP"
    return "ko-KR" if any(map(_HANGUL.search, _texts(content))) else "zh-CN"


def has_right_to_left(content: Content) -> bool:
    """Whether any text has letters that are written from right to left."""
    return any(map(_RIGHT_TO_LEFT.search, _texts(content)))


def is_right_to_left(text: str) -> bool:
    """Whether a paragraph runs from right to left, as its first letter does (UAX #9, rules P2 and P3)."""
    directions = map(bidirectional, text)
    return next((direction != "L" for direction in directions if direction in {"L", "R", "AL"}), False)


def _texts(content: Content) -> Iterator[str]:
    yield from (content.title, content.role, content.experience, *content.topics)
    for item in content.items:
        yield from (item.category, item.text, item.answer, item.notes, *item.key_points, *item.follow_ups)
