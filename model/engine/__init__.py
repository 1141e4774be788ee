"""
What turns rows into answers.

scikit-learn always can. Another engine serves a version if publishing has shown that it answers as scikit-learn does;
what makes such an engine is in ``model.engine.acceleration``.
"""

from model.engine.base import Engine
from model.engine.choice import engine_of, program_of
from model.engine.lowered import LoweredEngine, Program
from model.engine.record import EngineName, EngineRecord, Parity
from model.engine.sklearn import SklearnEngine

__all__ = [
    "Engine",
    "EngineName",
    "EngineRecord",
    "LoweredEngine",
    "Parity",
    "Program",
    "SklearnEngine",
    "engine_of",
    "program_of",
]
