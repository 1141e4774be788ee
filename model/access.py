"""Who may do what with which model; asked for every request of either protocol."""

from collections.abc import Iterable

from model.codec.wording import shown
from model.errors import InvalidInput, NotFound, PermissionDenied, Unauthenticated
from model.keys import ANYONE, Client
from model.keys.ring import Keyring
from model.metrics import Metrics
from model.repository import ModelRepository
from model.settings import Settings


class Access:
    """
    Lets clients in, each to the models that its key is for; of the others it learns nothing, not even the names.

    Whom it turns away it counts.

    Parameters
    ----------
    repository : ModelRepository
    metrics : Metrics
    settings : Settings
    """

    def __init__(self, repository: ModelRepository, metrics: Metrics, settings: Settings) -> None:
        self._repository = repository
        self._metrics = metrics
        self._settings = settings
        self._keys = None if settings.api_key_file is None else Keyring(settings.api_key_file)

    def authorize(self, credentials: str | None) -> Client:
        """
        Return who asks.

        Parameters
        ----------
        credentials : str or None
            Value of the header ``Authorization``.

        Raises
        ------
        Unauthenticated
        """
        if self._keys is None:
            return ANYONE
        try:
            return self._keys.client(credentials)
        except Unauthenticated as error:
            self._metrics.rejected(error)
            raise

    def default_model(self, client: Client) -> str:
        """
        Return the model that a client's requests without a model name are for.

        Raises
        ------
        InvalidInput
            It may use several, and none is the default.
        """
        if self._settings.default_model:
            return self._settings.default_model
        names = self._names(client)
        if len(names) == 1:
            return names[0]
        listed = ", ".join(names) or "none"
        raise InvalidInput(f"No model is named and there is no default one; expected one of {listed}.")

    def check(self, client: Client, name: str) -> None:
        """
        Let a client use a model; who is turned away is not counted here, for requests that are counted later.

        Raises
        ------
        PermissionDenied
            Its key is not for this model, whether that exists or not.
        NotFound
            Its key is for this model, but that does not exist.
        """
        if client.models is None:
            return
        if not client.may_use(name):
            raise PermissionDenied(f"The key is not for this model; expected {_one_of(client.models)}.")
        if name not in self._repository:
            raise NotFound(f"Model {shown(name)} is unknown; expected {_one_of(self._names(client))}.")

    def permit(self, client: Client, name: str) -> None:
        """Do as `check` does, and count who is turned away."""
        try:
            self.check(client, name)
        except PermissionDenied as error:
            self._metrics.rejected(error)
            raise

    def permit_all(self, client: Client) -> None:
        """
        Let a client see what tells of all models at once.

        Raises
        ------
        PermissionDenied
            Its key is for some of them.
        """
        if client.models is not None:
            raise self._denied("The metrics tell of all models; expected a key that is for all.")

    def permit_change(self, client: Client, name: str) -> None:
        """
        Let a client load or unload a model.

        Raises
        ------
        PermissionDenied
            The operator has not turned this on, or its key is no admin's or not for this model.
        NotFound
        """
        if not self._settings.enable_repository_api:
            raise self._denied("Loading and unloading are off; expected --enable_repository_api of the operator.")
        if not client.admin:
            raise self._denied("The key is not an admin's; expected one that is, for loading and unloading.")
        self.permit(client, name)

    def _names(self, client: Client) -> list[str]:
        return [name for name in self._repository.promised() if client.may_use(name)]

    def _denied(self, message: str) -> PermissionDenied:
        error = PermissionDenied(message)
        self._metrics.rejected(error)
        return error


def _one_of(names: Iterable[str]) -> str:
    listed = ", ".join(repr(name) for name in sorted(names))
    return f"one of {listed}" if listed else "none"
