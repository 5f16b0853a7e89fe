"""Become the process that a file describes: `python -I launch.py FILE`.

circus starts each process through this, so that secrets are neither in its configuration nor on a command line, any
value may stand in the environment, and both output streams share one rotating file.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    process = json.loads(Path(sys.argv[1]).read_text())
    os.dup2(1, 2)
    os.chdir(process["directory"])
    os.execve(process["command"][0], process["command"], process["environment"])  # noqa: S606


if __name__ == "__main__":
    main()
