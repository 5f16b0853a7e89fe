"""Pages whose examples are run: blocks of shell, each with what it answers as comments after it."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Stands alone in the output after each block.
_END = "--8<-- end of block --8<--"
#: After this a page that waits for something counts as stuck.
PATIENCE_SECONDS = 240


@dataclass(frozen=True)
class Block:
    """A block of a page, and what it wrote when it was run."""

    source: str
    output: str

    @property
    def shown(self) -> str:
        """The comments: what the page says that comes back."""
        return "\n".join(line[2:] for line in self.source.splitlines() if line.startswith("# "))


def blocks_of(page: str) -> list[str]:
    """The blocks of shell, in their order."""
    return re.findall(r"^```(?:sh|console)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def run_blocks(page: str, folder: Path, gateway_url: str) -> list[Block]:
    """Runs the blocks one after the other, as somebody would who types them into one terminal.

    Raises AssertionError with what was written last when a command of theirs fails, or nothing more happens.
    """
    sources = blocks_of(page)
    script = "".join(f"{source}\necho '{_END}'\n" for source in sources)
    script = script.replace("URL=http://127.0.0.1:8080", f"URL={gateway_url}")
    command = ["timeout", str(PATIENCE_SECONDS), "bash", "-eo", "pipefail", "-c", script]
    both = subprocess.STDOUT  # a terminal shows both
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=both, text=True, check=False)
    outputs = done.stdout.split(f"{_END}\n")
    assert done.returncode == 0, f"block {len(outputs)} of {len(sources)} fails:\n{outputs[-1]}"
    return [Block(source, output) for source, output in zip(sources, outputs, strict=False)]


def fields_in(text: str) -> set[str]:
    """The names of the fields of all JSON in a text, which may be shortened."""
    return set(re.findall(r'"(\w+)":', text))
