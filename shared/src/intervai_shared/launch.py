"""What both kinds of process do before they import anything else."""

import sys


def without_terminal() -> None:
    """Keeps out what httpx and structlog load for terminals, wherever it is installed. A service has none; without them
    a process is 6 MB smaller and starts 60 ms sooner."""
    for name in ("click", "pygments", "rich"):
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to make an import fail
