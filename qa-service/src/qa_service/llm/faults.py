"""Faults of providers: which pass, which say that a server is ill, and which are for good."""

import httpx2
import openai

from qa_service.llm.replies import ModelUnavailableError, StreamError

#: Statuses that say nothing about this request: the provider, or what stands before it, cannot answer now.
_BUSY = frozenset({429, 502, 503, 504, 529})
_PASSING_STATUS = frozenset({408, 409, 425, 429})
_LOST = (openai.APIConnectionError, httpx2.TransportError, StreamError)
_NO_MONEY = "insufficient_quota"
_CONTENT = frozenset({"content_filter", "content_policy_violation"})


class BreakerOpenError(ModelUnavailableError):
    """The provider has failed too often just now, and is left alone for some seconds."""


def is_passing(error: BaseException) -> bool:
    """Whether the same call may work later."""
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        return (status in _PASSING_STATUS or status >= 500) and error.code != _NO_MONEY
    return isinstance(error, (*_LOST, ModelUnavailableError))


def is_illness(error: BaseException | None) -> bool:
    """Whether it counts for the circuit breaker."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code >= 500
    return isinstance(error, _LOST)


def is_about_content(error: BaseException) -> bool:
    """Whether the provider refuses what was asked, so that no other should be asked either."""
    return isinstance(error, openai.APIStatusError) and error.code in _CONTENT


def wait_seconds(error: Exception, patience: float) -> float | bool:
    """When to try again at the same provider: after the Retry-After it gave; True: after the usual time; False: not."""
    if isinstance(error, BreakerOpenError) or not is_passing(error):
        return False
    asked = retry_after(error)
    if asked is None:
        return True
    return asked if asked <= patience else False


def retry_after(error: BaseException) -> float | None:
    """Seconds that the provider asks to wait."""
    if not isinstance(error, openai.APIStatusError):
        return None
    for header, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(error.response.headers.get(header, "")) / divisor
        except ValueError:  # an HTTP date, or nothing
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def as_outage(error: BaseException) -> BaseException:
    """What to raise of a passing fault when nobody else can answer: an outage does not use up a job's attempts."""
    if isinstance(error, openai.APIStatusError):
        if error.status_code in _BUSY:
            return ModelUnavailableError(f"The language model answers {error.status_code}.")
        return error
    if isinstance(error, ModelUnavailableError | StreamError):
        return error
    return ModelUnavailableError("The language model cannot be reached.")


def name(error: BaseException) -> str:
    """For a metric: a status, or the kind of error."""
    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    return type(error).__name__


REFUSED_REQUEST = "The language model refused the request."
DECLINED = "The language model declined to answer this."
