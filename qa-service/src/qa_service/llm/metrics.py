"""Metrics of the calls of the model, by provider and model."""

from prometheus_client import Counter, Gauge, Histogram

_BY = ["provider", "model"]
_SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
CALLS = Counter("intervai_llm_calls_total", "Calls of a language model by how they ended", [*_BY, "result"])
ERRORS = Counter("intervai_llm_errors_total", "Failed calls of a language model", [*_BY, "error"])
FALLBACKS = Counter("intervai_llm_fallbacks_total", "Calls that went on to the next provider", [*_BY, "reason"])
TOKENS = Counter("intervai_llm_tokens_total", "Tokens used", [*_BY, "direction"])
COST = Counter("intervai_llm_cost_micros_total", "Estimated cost in millionths of a dollar", _BY)
SECONDS = Histogram("intervai_llm_seconds", "Duration of a call that got a reply", _BY, buckets=_SECONDS)
FIRST_PIECE = Histogram("intervai_llm_first_piece_seconds", "Until the first text of a reply", _BY, buckets=_SECONDS)
BREAKER_OPEN = Gauge("intervai_llm_breaker_open", "1 while a provider is left alone after failures", _BY)
REFUSED = Counter("intervai_llm_budget_refused_total", "Jobs refused since a budget is used up", ["budget"])
