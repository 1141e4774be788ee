"""Bytes to ``InferRequest`` and ``InferResponse`` to bytes: V2, V1 and rows; nothing here knows of HTTP or gRPC."""
