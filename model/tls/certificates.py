"""The server's credentials as they are now."""

import ssl
from typing import Final

from model.renewal import Renewed
from model.tls.files import PROTOCOLS, TlsFiles, read_context

HANDSHAKE_SECONDS: Final = 10
"""For which a client may take to shake hands; one that speaks no TLS is gone after it at the latest."""


class Certificates:
    """
    The server's credentials, read anew when their files change: each handshake has those of the time.

    Parameters
    ----------
    files : TlsFiles

    Raises
    ------
    ArtifactError
        See `read_context`.
    """

    def __init__(self, files: TlsFiles) -> None:
        names = [file for file in (files.certfile, files.keyfile, files.ca_certs) if file is not None]
        self._contexts = Renewed(names, lambda: {protocol: read_context(files, protocol) for protocol in PROTOCOLS})

    def context(self, protocol: str) -> ssl.SSLContext:
        """
        Return a context for a listener that lives as long as the process.

        Parameters
        ----------
        protocol : str
            What is spoken under TLS, by its name in ALPN; one of ``model.tls.files.PROTOCOLS``.
        """

        def switch(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            """Go on with the credentials of now; called as each handshake begins, with a server's name or not."""
            connection.context = self._contexts.current()[protocol]

        context = self._contexts.current()[protocol]
        # Certificates can't be loaded into a context that is in use so that a bad one leaves the old, and authorities
        # can't be taken out of it at all; a handshake can be given another context.
        context.sni_callback = switch
        return context
