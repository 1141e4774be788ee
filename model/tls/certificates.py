"""The server's credentials as they are now."""

import ssl
from typing import Final

from model.renewal import Renewed
from model.tls.files import Credentials, TlsFiles, read_credentials

HANDSHAKE_SECONDS: Final = 10
"""For which a client may take to shake hands; one that speaks no TLS is gone after it at the latest."""


class Certificates:
    """
    The server's credentials, read anew when their files change: each handshake has those of the time.

    Parameters
    ----------
    files : TlsFiles

    Attributes
    ----------
    context : ssl.SSLContext
        For a listener that lives as long as the process.

    Raises
    ------
    ArtifactError
        See `read_credentials`.
    """

    def __init__(self, files: TlsFiles) -> None:
        names = [file for file in (files.certfile, files.keyfile, files.ca_certs) if file is not None]
        self._credentials = Renewed(names, lambda: read_credentials(files))
        self.context = self.current().context
        # Certificates can't be loaded into a context that is in use so that a bad one leaves the old, and authorities
        # can't be taken out of it at all; a handshake can be given another context.
        self.context.sni_callback = self._switch

    def current(self) -> Credentials:
        """Return the credentials for a handshake now."""
        return self._credentials.current()

    def _switch(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Go on with the credentials of now; called at the beginning of each handshake, with a server's name or not."""
        connection.context = self.current().context
