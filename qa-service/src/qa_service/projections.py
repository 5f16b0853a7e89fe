"""What is made from events alone, and can be made anew: `python -m intervai_shared.events replay [NAME]`."""

from qa_service.analytics.progress_projection import PROGRESS
from qa_service.analytics.projection import TRENDING

PROJECTIONS = [TRENDING, PROGRESS]
