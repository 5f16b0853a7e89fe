"""Misbehaviour on demand: the model's name says it, as in `offline?fault=rate-limit&share=0.7&seed=1`.

So a test needs no other server, and two tests do not disturb each other. README.md has the list.
"""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from offline_llm.bank import normalised

#: Seconds that `timeout` is silent: longer than anybody waits.
SILENCE_SECONDS = 600.0
_CYRILLIC = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопярстувшчыз")
#: What `any` stands for: all that the next try may not meet again.
PASSING = (
    "rate-limit",
    "error",
    "cut-stream",
    "length",
    "invalid-json",
    "schema",
    "whitespace",
    "wrong-language",
    "duplicates",
)
_REFUSAL = "I cannot help with that."


@dataclass(frozen=True)
class Fault:
    """`options`: the rest of what the name says."""

    name: str
    options: dict[str, str]

    def number(self, option: str, default: float) -> float:
        """A numeric option."""
        try:
            return float(self.options[option])
        except (KeyError, ValueError):
            return default


@lru_cache(maxsize=256)
def _dice(model: str, seed: str) -> random.Random:
    """The same sequence for the same name, from the start of the process on."""
    return random.Random(f"{model}|{seed}")  # noqa: S311  nothing depends on it


def fault_of(model: str) -> Fault | None:
    """The fault that meets this request; None: it is answered as always."""
    _, _, query = model.partition("?")
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    fault = Fault(options.pop("fault", ""), options)
    if not fault.name:
        return None
    dice = _dice(model, options.get("seed", ""))
    # `duplicates` has a use of its own for `share`.
    if fault.name != "duplicates" and dice.random() >= fault.number("share", 1.0):
        return None
    return Fault(dice.choice(PASSING), options) if fault.name == "any" else fault


async def before(fault: Fault) -> tuple[int, dict[str, str]] | None:
    """The error that is answered instead, as status and headers; or waits as long as the fault says."""
    if fault.name == "rate-limit":
        return 429, {"Retry-After": fault.options.get("after", "1")}
    if fault.name == "error":
        return int(fault.number("status", 500)), {}
    if fault.name == "timeout":
        await asyncio.sleep(SILENCE_SECONDS)
    if fault.name == "slow":
        await asyncio.sleep(fault.number("ms", 2000) / 1000)
    return None


def spoil(fault: Fault, completion: dict[str, Any], data: dict[str, Any]) -> None:
    """Changes a completion; `data`: what was asked."""
    choice = completion["choices"][0]
    message, content = choice["message"], str(choice["message"]["content"])
    if fault.name == "length":
        choice["finish_reason"], message["content"] = "length", content[: len(content) // 2]
    elif fault.name == "refusal":
        message.update(content=None, refusal=_REFUSAL)
    elif change := _CONTENTS.get(fault.name):
        message["content"] = change(content, fault, data)


def _wrong_language(content: str, _: Fault, __: dict[str, Any]) -> str:
    def translated(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: translated(item) for key, item in value.items()}
        if isinstance(value, list):
            return [translated(item) for item in value]
        # A single word may be one of an enumeration.
        return value.lower().translate(_CYRILLIC) if isinstance(value, str) and " " in value else value

    return json.dumps(translated(json.loads(content)))


def _duplicates(content: str, fault: Fault, data: dict[str, Any]) -> str:
    """A share of the questions repeats one of `exclude`, or one before it, in slightly other words."""
    answer = json.loads(content)
    questions = answer.get("questions", [])
    known = [str(text) for text in data.get("exclude") or []]
    dice = random.Random(f"{fault.options.get('seed', '')}|{len(known)}|{content}")  # noqa: S311
    for question in questions:
        if known and dice.random() < fault.number("share", 0.7):
            question["text"] = _reworded(dice.choice(known), dice)
        else:
            known.append(question["text"])
    return json.dumps(answer)


def _reworded(text: str, dice: random.Random) -> str:
    how: tuple[Callable[[str], str], ...] = (
        lambda words: words,
        str.upper,
        lambda words: f"{words.rstrip('?.')}, please?",
        lambda words: f"So, {words}",
        lambda words: words.replace(" the ", " a ").replace("What is", "What's"),
        lambda words: normalised(words).capitalize() + "?",
    )
    return dice.choice(how)(text)


_CONTENTS: dict[str, Callable[[str, Fault, dict[str, Any]], str]] = {
    "invalid-json": lambda content, _, __: content[: len(content) * 2 // 3],
    "schema": lambda _, __, ___: json.dumps({"unexpected": True}),
    "whitespace": lambda content, _, __: content[: len(content) // 2] + " \n" * 20_000,
    "wrong-language": _wrong_language,
    "duplicates": _duplicates,
}
