"""What a model takes and gives: its columns, its outputs, and the way between them and V2 tensors."""

from model.signature.inputs import Inputs
from model.signature.outputs import Outputs
from model.signature.schema import Column, Layout, Output, Signature

__all__ = ["Column", "Inputs", "Layout", "Output", "Outputs", "Signature"]
