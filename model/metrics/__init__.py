"""
What the server counts and times, for Prometheus and for the statistics extension.

::

    exposition   all that is counted in one server, and the page that shows it
    families     from counts to Prometheus' families
    series       the numbers themselves
    snapshot     families as plain numbers and back, to be added up over processes
"""

from model.metrics.exposition import REASONS, Metrics
from model.metrics.series import SECONDS, Duration, Load, ModelStatistics, RunMetrics, ServableMetrics

__all__ = ["REASONS", "SECONDS", "Duration", "Load", "Metrics", "ModelStatistics", "RunMetrics", "ServableMetrics"]
