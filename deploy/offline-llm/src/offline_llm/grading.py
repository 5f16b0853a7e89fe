"""Judges an answer without a model: by the words that it shares with each key point. Equal answers, equal
judgements."""

import re
from typing import Any

from offline_llm.bank import Bank, normalised

#: Shares of a key point's words from which on a piece of the answer makes it, or hints at it.
COVERED, PARTLY = 0.5, 0.3
_SENTENCE = re.compile(r"[^.!?;\n]+")
_SUFFIX = re.compile(r"(?:ations?|ings?|ions?|edly|ness|ments?|ally|ers?|ies|ed|es|ly|al|s|e)$")
#: Words that tell nothing of what a text is about.
_STOP_WORDS = (
    "a about also an and any are as at be been but by can could do does each etc for from get has have how if in "
    "into is it its just like may more most must not of on one only or other over own same should so some such "
    "than that the their them then there these they this those to too use used using very was what when where "
    "which while who why will with would you your"
)
_STOP = frozenset(_STOP_WORDS.split())
_CONNECTIVES = frozenset(
    ("because", "since", "therefore", "however", "whereas", "although", "instead", "example", "instance")
)


def judge(bank: Bank, data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """The judgement of an attempt: question, modelAnswer, keyPoints and answer."""
    answer = str(data.get("answer", ""))
    pieces = [piece.strip() for piece in _SENTENCE.findall(answer) if piece.strip()]
    windows = _windows(answer)
    points = [entry for entry in data.get("keyPoints", []) if isinstance(entry, dict)]
    judged = [_point(entry, windows) for entry in points]
    worth = {"covered": 1.0, "partly": 0.5}
    made = sum(worth.get(point["verdict"], 0.0) for point in judged)
    share = made / len(judged) if judged else _likeness(data, answer)
    best = max(pieces, key=lambda piece: len(_stems(piece)), default="")
    correctness = round(4 * min(1.0, share * 1.2))
    return {
        "points": judged,
        "correctness": _quality(correctness, best),
        "depth": _quality(min(correctness, _depth(answer)), best),
        "structure": _quality(min(4, 2 + len(pieces) // 2) if share else 0, pieces[0] if pieces else ""),
        "comment": _comment(points, judged),
        "betterAnswer": str(data.get("modelAnswer") or "") or _joined(points),
    }


def _point(entry: dict[str, Any], windows: dict[str, set[str]]) -> dict[str, Any]:
    wanted = _stems(str(entry.get("text", "")))
    # Of equal ones the shortest.
    found = ((_share(wanted, stems), -len(piece), piece) for piece, stems in windows.items())
    share, _, quote = max(found, default=(0.0, 0, ""))
    verdict = "covered" if share >= COVERED else "partly" if share >= PARTLY else "missing"
    return {"point": entry.get("point", 0), "verdict": verdict, "quote": quote if verdict != "missing" else ""}


def _windows(answer: str) -> dict[str, set[str]]:
    """Where a point may be made, with its stems: each sentence, and each two and three that follow each other."""
    found = [sentence for sentence in _SENTENCE.finditer(answer) if sentence[0].strip()]
    pieces = [
        answer[first.start() : last.end()].strip()
        for length in range(3)
        for first, last in zip(found, found[length:], strict=False)
    ]
    return {piece: _stems(piece) for piece in pieces}


def _share(wanted: set[str], stems: set[str]) -> float:
    return len(wanted & stems) / len(wanted) if wanted else 0.0


def _likeness(data: dict[str, Any], answer: str) -> float:
    """Without key points: how much of the model answer's words, at least of the question's, the answer has."""
    wanted = _stems(str(data.get("modelAnswer") or data.get("question") or ""))
    return min(1.0, 1.5 * _share(wanted, _stems(answer)))


def _depth(answer: str) -> int:
    words = normalised(answer).split()
    reasons = sum(word in _CONNECTIVES for word in words)
    return min(4, len(words) // 25 + min(2, reasons))


def _quality(level: int, quote: str) -> dict[str, Any]:
    return {"level": level, "quote": quote if level else ""}


def _stems(text: str) -> set[str]:
    words = (word for word in normalised(text).split() if word not in _STOP)
    return {stem if len(stem := _SUFFIX.sub("", word)) >= 3 else word for word in words}


def _comment(points: list[dict[str, Any]], judged: list[dict[str, Any]]) -> str:
    made = sum(point["verdict"] == "covered" for point in judged)
    open_points = [
        str(entry.get("text", "")) for entry, point in zip(points, judged, strict=True) if point["verdict"] != "covered"
    ]
    said = f"You make {made} of {len(judged)} points." if judged else "Compare your answer with the model answer."
    return f"{said} Say more about this: {open_points[0]}" if open_points else said


def _joined(points: list[dict[str, Any]]) -> str:
    return " ".join(f"{str(entry.get('text', '')).rstrip('.')}." for entry in points)
