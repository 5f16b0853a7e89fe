"""When two questions ask the same in other words.

The measure is the share of their meaningful words that two questions have in common (Jaccard, on word stems, where
words that are nearly equal count as equal: rapidfuzz). Beyond that two questions are different when they differ in a
number, a sign or a single letter (C, C++ and C#), or when each names its own topic: the same asked of two topics is two
questions. The bound was chosen on the 300 questions of the offline bank and hand-made rewordings: see
tests/generation/test_similarity.py.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from qa_service.questions.texts import normalised

#: From this share of common words on two questions are the same.
SAME = 0.76
#: From this likeness on (0 to 100, rapidfuzz's ratio) two words are one: misspelled, or in another form.
SAME_WORD = 84
_FRAME = frozenset(  # what questions are framed with
    """
    a about an and any are as at be been best by can could describe did difference differences differ different
    do does each example examples explain for from give had has have how i if in into is it its kind main me
    mean means my of on one or please say should show so some tell than that the their them then there these
    they this those to us use used uses using was way ways we were what whats when where which who why will with
    work works would you your between compare compared versus vs s t
    """.split()  # noqa: SIM905  as text it is easier to read
)
_SUFFIX = re.compile(r"(?:ations?|ings?|ions?|ies|ied|es|ed|ly|al|s|e|y)$")
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]+")


def fingerprint(text: str) -> str:
    """The same for texts that differ in case, spacing and punctuation alone."""
    return blake2b(normalised(text).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def stems(text: str) -> frozenset[str]:
    """The meaningful words of a text, without their endings; of scripts without spaces each two characters."""
    words = normalised(text).split()
    told = [word for word in words if word not in _FRAME]
    found = frozenset(piece for word in told for piece in _pieces(word)) - _FRAME
    return found or frozenset(words)


def _pieces(word: str) -> Iterable[str]:
    if _NO_SPACES.fullmatch(word):
        return [word[start : start + 2] for start in range(max(1, len(word) - 1))]
    stem = _SUFFIX.sub("", word) if word.isascii() and word.isalpha() else word
    return [stem if len(stem) >= 3 else word]


@dataclass(frozen=True)
class Asked:
    """A question as it is compared."""

    words: frozenset[str]
    topic: frozenset[str]

    @classmethod
    def of(cls, text: str, category: str = "") -> "Asked":
        words = stems(text)
        return cls(words, stems(category) & words if category else frozenset())


def is_same(one: Asked, other: Asked) -> bool:
    """Whether both ask the same."""
    common = len(one.words & other.words)
    left, right = one.words - other.words, other.words - one.words
    if any(map(_is_sign, left | right)) or (one.topic & left and other.topic & right):
        return False
    paired = _paired(left, right)
    return (common + paired) / (common + len(left) + len(right) - paired) >= SAME


def _is_sign(word: str) -> bool:
    """What changes a question wholly: a number, an operator, a name of one letter."""
    if len(word) == 1 and word.isascii():
        return True
    return not all(unicodedata.category(char)[0] in "LM" for char in word)


def _paired(left: frozenset[str], right: frozenset[str]) -> int:
    """How many words of one side have a nearly equal one on the other."""
    if not left or not right:
        return 0
    from rapidfuzz import fuzz, process  # noqa: PLC0415  the API starts without it

    waiting = set(right)
    for word in sorted(left):
        if found := process.extractOne(word, waiting, scorer=fuzz.ratio, score_cutoff=SAME_WORD):
            waiting.discard(found[0])
    return len(right) - len(waiting)


class Known:
    """Questions that must not come again. Adding and looking are cheap: only those that share words are compared."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._fingerprints: set[str] = set()

    def add(self, text: str, category: str = "") -> None:
        """From now on it is known."""
        self._fingerprints.add(fingerprint(text))
        asked = Asked.of(text, category)
        for word in asked.words:
            self._by_word[word].append(len(self._asked))
        self._asked.append(asked)

    def has(self, text: str, category: str = "") -> bool:
        """Whether it, or one that asks the same, is known."""
        if fingerprint(text) in self._fingerprints:
            return True
        asked = Asked.of(text, category)
        shared = Counter(number for word in asked.words for number in self._by_word.get(word, ()))
        # Nearly equal words can add a few to what is shared exactly; less than a half is never enough.
        needed = max(1, len(asked.words) // 2)
        return any(is_same(asked, self._asked[number]) for number, count in shared.items() if count >= needed)
