"""The model repository extension: the index, and load and unload where the operator turned them on."""

from typing import Any

from model.codec.document import parse_object
from model.errors import InvalidInput
from model.repository import ModelState
from model.rest.answer import Answer, json_answer
from model.rest.request import Request


async def index(request: Request) -> Answer:
    """List every version of every model with its state."""
    ready_only = (await _document(request)).get("ready", False)
    if type(ready_only) is not bool:
        raise InvalidInput(f"The body has {ready_only!r:.60} as its ready; expected true or false.")
    states = request.dataplane.repository_index(request.client, ready_only=ready_only)
    return json_answer([_state(state) for state in states])


async def load(request: Request) -> Answer:
    """Load a model's versions anew."""
    parameters = (await _document(request)).get("parameters")
    if parameters:
        raise InvalidInput("A model is loaded as its artifact describes it; send no parameters with a load.")
    await request.dataplane.load(request.client, request.model)
    return json_answer({"name": request.model, "load": True})


async def unload(request: Request) -> Answer:
    """Let a model answer no longer. Triton's ``unload_dependents`` is moot, for nothing depends on a model here."""
    await _document(request)
    await request.dataplane.unload(request.client, request.model)
    return json_answer({"name": request.model, "unload": True})


async def _document(request: Request) -> dict[str, Any]:
    """Read the body, of which none at all means an empty object."""
    body = await request.body()
    return parse_object(body) if body else {}


def _state(state: ModelState) -> dict[str, Any]:
    line: dict[str, Any] = {"name": state.name}
    if state.version:
        line["version"] = state.version
    return line | {"state": state.state, "reason": state.reason}
