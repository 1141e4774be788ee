"""API keys for tests."""

from pathlib import Path

from model.keys.file import add_key, new_key


def make_key(file: Path, key_id: str = "tester", *models: str, admin: bool = False) -> str:
    """Add a key to a file, and return what its owner brings."""
    text, key = new_key(key_id, models, admin=admin)
    add_key(file, key)
    return text
