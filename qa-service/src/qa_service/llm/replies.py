"""What the model answers, and why it does not."""

from dataclasses import dataclass

from intervai_shared.errors import OutageError


@dataclass(frozen=True)
class Reply:
    """A raw reply. `model` is the one that really answered; `cut`: it hit the token limit, so ask for less.
    `cost_micros`: millionths of a US dollar, estimated by the price table."""

    content: str
    model: str
    input_tokens: int
    output_tokens: int
    cut: bool = False
    cost_micros: int = 0


class ModelUnavailableError(OutageError):
    """The language model cannot be reached or is too busy. Jobs wait for it without using up their attempts."""


class BrokenReplyError(Exception):
    """The stream broke after a part of the reply had been handed over: what came is journalled and charged, and a
    further call must ask for the rest. `content`: what came."""

    def __init__(self, content: str) -> None:
        super().__init__("the reply broke off in the middle")
        self.content = content


class InvalidReplyError(Exception):
    """The reply does not fit the schema: worth another attempt of the job."""


class StreamError(Exception):
    """What the provider sends breaks off, or is none of its API."""
