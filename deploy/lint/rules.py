"""Rules of this project that no linter knows, over the sources of the services and the chassis.

Prints one line a finding and exits 1 if there is one. A new rule is an entry of `CALLS`, `ALONE` or `NAMES`.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Rule:
    """`allowed`: the end of the path of the files that may."""

    why: str
    allowed: tuple[str, ...] = ()


_OUTBOX = Rule(
    "a message goes out through the outbox, in the transaction of its cause",
    # A tick of the scheduler has no cause in a database.
    ("messaging/relay.py", "messaging/broker.py", "scheduling/scheduler.py"),
)
_SCAN = Rule("the embedded Mongo engine scans the collection: update_one by _id, then read")
_LOCKS = Rule(
    "a plain one waits for a transaction with the collection locked, and the embedded Mongo engine stands still when "
    "that one writes there again: pass the session of a transaction",
    # Of what no transaction writes twice.
    ("messaging/relay.py", "messaging/rewind.py", "messaging/kafka.py"),
)
#: Methods that nobody calls without a session.
ALONE = {"update_many": _LOCKS, "delete_many": _LOCKS}
#: Methods that nobody calls.
CALLS = {
    "send_with_options": _OUTBOX,
    "enqueue": _OUTBOX,
    "send": _OUTBOX,
    "find_one_and_update": _SCAN,
    "find_one_and_replace": _SCAN,
    "find_one_and_delete": _SCAN,
}
#: Names that nobody uses.
NAMES = {
    "BaseHTTPMiddleware": Rule("it breaks contextvars and streams: write pure ASGI"),
    "environ": Rule("settings come from the settings class"),
    "getenv": Rule("settings come from the settings class"),
}


def findings(path: Path) -> Iterator[str]:
    """What a file does against the rules."""
    for node in ast.walk(ast.parse(path.read_text())):
        for name, rules in _used(node):
            rule = rules.get(name)
            if rule and not str(path).endswith(rule.allowed or ("\0",)):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {name}: {rule.why}"


def _used(node: ast.AST) -> Iterator[tuple[str, dict[str, Rule]]]:
    match node:
        case ast.Call(func=ast.Attribute(attr=name), keywords=given):
            yield name, CALLS
            if "session" not in {keyword.arg for keyword in given}:
                yield name, ALONE
        case ast.Attribute(attr=name) | ast.Name(id=name):
            yield name, NAMES
        case ast.ImportFrom(names=aliases):
            yield from ((alias.name, NAMES) for alias in aliases)


def main() -> None:
    sources = [*(ROOT / "shared/src").rglob("*.py"), *ROOT.glob("*-service/src/**/*.py")]
    found = [finding for path in sorted(sources) for finding in findings(path)]
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()
