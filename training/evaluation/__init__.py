"""How good a fitted model is, and whether that is good enough."""

from training.evaluation.answering import answers_of
from training.evaluation.candidate import Candidate
from training.evaluation.champion import Champion
from training.evaluation.decision import Check, Decision
from training.evaluation.gate import decide
from training.evaluation.measuring import evaluate
from training.evaluation.record import Evaluation

__all__ = ["Candidate", "Champion", "Check", "Decision", "Evaluation", "answers_of", "decide", "evaluate"]
