"""Loading and unloading on demand, in this process and in all that answer on the same ports."""

import asyncio
from concurrent.futures import Executor
from functools import partial

from model.repository import ModelRepository
from model.workers.group import Action, Group


class Changes:
    """
    Changes what is served.

    Parameters
    ----------
    repository : ModelRepository
    loader : Executor
        The one thread in which models are changed, while requests go on.
    group : Group
        The processes that answer on the same ports.
    """

    def __init__(self, repository: ModelRepository, loader: Executor, group: Group) -> None:
        self._repository = repository
        self._loader = loader
        self._group = group

    async def everywhere(self, action: Action, name: str) -> bool:
        """
        Load or unload a model in every process, and return whether it was done in all.

        Raises
        ------
        NotFound
            No such model; no other process is asked then.
        """
        self._repository.servables(name)
        return await self._group.everywhere(action, name, partial(self.here, action, name))

    async def here(self, action: Action, name: str) -> bool:
        """
        Load or unload a model in this process.

        Returns
        -------
        bool
            Whether it was done: of a model that was to be loaded, whether any version was.
        """
        change = self._repository.load if action == "load" else self._repository.unload
        loop = asyncio.get_running_loop()
        # It is done though the client leaves: half of the workers would else have made the change.
        return await asyncio.shield(loop.run_in_executor(self._loader, change, name)) is not False
