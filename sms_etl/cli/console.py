"""The consoles of the command line, which no text from outside commands, and the progress bars on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeElapsedColumn
from rich.segment import Segment

from sms_etl.plain_text import printable_lines

if TYPE_CHECKING:
    from sms_etl.sync.task import Progress as ShowProgress

_STARTING = "starting"


class Console(RichConsole):
    """Shows what comes from data, files and the provider, and lets none of it command the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, emoji=False)  # `:x:` in data is no picture

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render as rich does, with the control characters of any text written out."""
        for segment in super().render(renderable, options):
            is_text = not segment.control and not segment.text.isprintable()
            yield Segment(printable_lines(segment.text), segment.style) if is_text else segment


@cache
def stderr() -> Console:
    """Return the console of progress and logs: bars and lines that share it do not break each other."""
    return Console(stderr=True)


@contextmanager
def progress_bars() -> "Iterator[ShowProgress]":
    """Show a bar for every step that tells of itself, and at once that the command is starting."""
    bars = Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=stderr(),
    )
    steps = _Steps(bars)
    try:
        if bars.console.is_terminal:
            steps.show(_STARTING, 0, None)
        yield steps.show
    finally:
        steps.end()


class _Steps:
    """Gives each step a bar and a clock of its own; one step is on at a time.

    One that is first heard of when a part of it is done began when the step before it was last heard of.
    """

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Task] = {}
        self._current: Task | None = None
        self._heard_at = bars.get_time()

    def show(self, step: str, done: int, total: int | None) -> None:
        self._bars.start()
        now = self._bars.get_time()
        if step not in self._tasks:
            began = self._heard_at if done else now
            self._end_current(began)
            self._hide_starting()
            self._current = self._tasks[step] = self._add(step, began)
        self._heard_at = now
        self._bars.update(self._tasks[step].id, advance=done, total=total)

    def end(self) -> None:
        """Leave the bars as they are; nothing, if no step was heard of."""
        if self._current is not None:
            self._end_current(self._bars.get_time())
            self._bars.stop()

    def _end_current(self, moment: float) -> None:
        if self._current is None:
            return
        self._current.stop_time = moment
        self._current = None

    def _hide_starting(self) -> None:
        if _STARTING in self._tasks:
            self._bars.update(self._tasks[_STARTING].id, visible=False)

    def _add(self, step: str, began: float) -> Task:
        number = self._bars.add_task(step, total=None)
        task = next(task for task in self._bars.tasks if task.id == number)
        task.start_time = began
        return task
