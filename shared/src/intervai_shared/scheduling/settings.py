"""The settings of the scheduler process."""

from intervai_shared.settings import ProcessSettings


class SchedulerSettings(ProcessSettings):
    """It needs Redis, and nothing else."""

    service: str = "scheduler"
