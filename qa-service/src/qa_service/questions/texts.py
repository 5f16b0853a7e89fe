"""When two questions are the same: by their texts, whatever the case, the spacing and the punctuation."""

import unicodedata

#: Punctuation that tells apart what is asked about: C and C#, `&` and `*`.
_MEANINGFUL = frozenset("#&*/%@")


def normalised(text: str) -> str:
    """Lower case, letters with their marks, numbers, operators, single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(char if _is_meaningful(char) else " " for char in folded).split())


def _is_meaningful(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LMN" or category == "Sm" or char in _MEANINGFUL
