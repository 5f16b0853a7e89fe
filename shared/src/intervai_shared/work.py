"""Runs a worker process: `python -m intervai_shared.work qa_service.worker`."""

import importlib
import os
import sys

# Dramatiq reads this when it is imported. Messages that a worker has fetched but not begun wait for it alone, so few.
os.environ.setdefault("dramatiq_queue_prefetch", "4")


def main() -> None:
    """Imports the module's `create_worker` and runs it until SIGTERM or SIGINT."""
    module = importlib.import_module(sys.argv[1])
    module.create_worker().run()


if __name__ == "__main__":
    main()
