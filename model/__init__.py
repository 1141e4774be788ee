"""Serve scikit-learn models behind the Open Inference (V2) protocol, on KServe or alone."""

__version__ = "0.1.0"
