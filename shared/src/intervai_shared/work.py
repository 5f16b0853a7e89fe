"""Runs a worker process: `python -m intervai_shared.work qa_service.worker`."""

import importlib
import sys

from intervai_shared.launch import without_terminal


def main() -> None:
    """Imports the module's `create_worker` and runs it until SIGTERM or SIGINT."""
    without_terminal()
    module = importlib.import_module(sys.argv[1])
    module.create_worker().run()


if __name__ == "__main__":
    main()
