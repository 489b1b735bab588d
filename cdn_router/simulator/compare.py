"""Many runs: policies x worlds x seeds, each weather made once, on as many processes as wanted."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from . import weather
from .lineup import named
from .run import Outcome, run
from .world import World


class Task(NamedTuple):
    """All policies in one weather: worlds meet the seed, policies meet each other (SW-8)."""

    world: World
    seed: int
    policies: tuple[str, ...]


def do(task: Task) -> list[Outcome]:
    made = weather.make(task.world, task.seed)
    return [run(named(policy), made, task.seed) for policy in task.policies]


def outcomes(tasks: Sequence[Task], jobs: int = 1) -> Iterator[list[Outcome]]:
    """The outcomes of each task, in order."""
    if jobs <= 1 or len(tasks) <= 1:
        yield from map(do, tasks)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(do, tasks)
