"""
TLS for both ports.

::

    files          where certificates and key lie, and what they hold
    certificates   the credentials of now, for each handshake
"""
