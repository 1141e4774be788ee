"""What the server counts and times, for Prometheus and for the statistics extension."""

from model.metrics.exposition import REASONS, Metrics
from model.metrics.series import SECONDS, Duration, Load, ModelStatistics, RunMetrics, ServableMetrics

__all__ = ["REASONS", "SECONDS", "Duration", "Load", "Metrics", "ModelStatistics", "RunMetrics", "ServableMetrics"]
