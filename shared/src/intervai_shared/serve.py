"""Runs an API process: `python -m intervai_shared.serve qa_service.app`."""

import importlib
import sys

from intervai_shared.launch import without_terminal


def main() -> None:
    """Imports the module's `create_app` and serves it until SIGTERM or SIGINT."""
    without_terminal()
    uvloop = importlib.import_module("uvloop")
    server = importlib.import_module("intervai_shared.http.server")
    module = importlib.import_module(sys.argv[1])
    sys.exit(uvloop.run(server.serve(module.create_app())))


if __name__ == "__main__":
    main()
