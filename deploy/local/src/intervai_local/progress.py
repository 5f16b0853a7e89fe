"""Shows what a start is waiting for: a spinner a process on a terminal, one plain line a process elsewhere."""

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class StartProgress:
    """Use as a context manager; call `ready` once a name."""

    def __init__(self, names: Iterable[str], console: Console) -> None:
        self.console = console
        self.started = time.monotonic()
        columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description:18}"), TimeElapsedColumn())
        self.display = Progress(*columns, console=console, disable=not console.is_terminal)
        self.tasks: dict[str, TaskID] = {name: self.display.add_task(name, total=1) for name in names}

    def __enter__(self) -> "StartProgress":
        self.display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.display.stop()

    def ready(self, name: str) -> None:
        self.display.update(self.tasks[name], completed=1)
        if not self.console.is_terminal:
            seconds = time.monotonic() - self.started
            self.console.print(f"ready {name:18} {seconds:4.1f} s", highlight=False)
