"""
API keys: who asks, and what they may.

::

    client     who asks, and their models
    file       the file of keys, each as a salted hash
    ring       a client by the credentials of a request
    commands   `sklearn-kserve key`
"""

from model.keys.client import ANYONE, NOBODY, Client

__all__ = ["ANYONE", "NOBODY", "Client"]
