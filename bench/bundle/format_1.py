"""Manifests of format 1, whose keys had other names."""

from typing import Any

_MANIFEST = {"params": "params_storage"}
_TARGET = {"device": "device_type", "key": "tracker_key"}
_MEASURED = {"profile": "effort"}
_COMPILED = {"prefer": "optimize_for", "functions": "kernel_count"}
_STORAGES = {"apart": "external"}


def from_format_1(table: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest of format 1 as one of format 2; what is wrong in it stays wrong."""
    table = _renamed(table, _MANIFEST) | {"format": 2}
    for key, names in (("target", _TARGET), ("measured", _MEASURED), ("compiled", _COMPILED)):
        if isinstance(table.get(key), dict):
            table[key] = _renamed(table[key], names)
    storage = table.get("params_storage")
    if isinstance(storage, str):
        table["params_storage"] = _STORAGES.get(storage, storage)
    return table


def _renamed(table: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in table.items()}
