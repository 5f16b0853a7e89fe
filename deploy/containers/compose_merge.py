"""Puts Compose files together as Compose does (https://docs.docker.com/reference/compose-file/merge/).

Mappings are merged key by key, the later file wins. Lists are appended, but for what a command line is (`command`,
`entrypoint`, a health check's `test`), which is replaced; mounts go by where they are mounted, so a later one takes the
place of an earlier one; values that are there already are not there twice. `environment`, `labels` and the like may be
lists or mappings, and `networks` and `depends_on` lists of names: they become mappings first. The tags `!reset` and
`!override` are not known here: a file that has one cannot be read, which is better than read wrongly.
"""

from collections.abc import Mapping
from typing import Any

Value = Any
REPLACED = {("command",), ("entrypoint",), ("healthcheck", "test")}
PAIRS = {"environment", "labels", "sysctls", "extra_hosts", "args"}
NAMES = {"networks", "depends_on"}
MOUNTS = {"volumes", "secrets", "configs", "tmpfs"}


def merged(base: Mapping[str, Value], *overrides: Mapping[str, Value]) -> dict[str, Value]:
    """One document of several."""
    result = dict(base)
    for override in overrides:
        services = dict(result.get("services", {}))
        for name, service in override.get("services", {}).items():
            services[name] = merge_service(services.get(name, {}), service)
        rest = {key: value for key, value in override.items() if key != "services"}
        result = _merge_mapping(result, rest, ()) | {"services": services}
    return result


def merge_service(base: Mapping[str, Value], override: Mapping[str, Value]) -> dict[str, Value]:
    """One service."""
    return _merge_mapping(_plain(base), _plain(override), ())


def _plain(service: Mapping[str, Value]) -> dict[str, Value]:
    """The service with its lists of pairs and of names as mappings."""
    return {key: _as_mapping(key, value) for key, value in service.items()}


def _as_mapping(key: str, value: Value) -> Value:
    if key in PAIRS and isinstance(value, list):
        return dict(str(each).partition("=")[::2] for each in value)
    if key in NAMES and isinstance(value, list):
        return {str(name): {"condition": "service_started"} if key == "depends_on" else None for name in value}
    return value


def _merge_mapping(base: Mapping[str, Value], override: Mapping[str, Value], path: tuple[str, ...]) -> dict[str, Value]:
    result = dict(base)
    for key, value in override.items():
        result[key] = _merge(result[key], value, (*path, key)) if key in result else value
    return result


def _merge(old: Value, new: Value, path: tuple[str, ...]) -> Value:
    if path in REPLACED:
        return new
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _merge_mapping(old, new, path)
    if isinstance(old, list) and isinstance(new, list):
        if path[-1] in MOUNTS:
            return list(({_target(each): each for each in old} | {_target(each): each for each in new}).values())
        return [*old, *(each for each in new if each not in old)]
    return new


def _target(mount: Value) -> str:
    """Where it is mounted: `target` of the long form; of the short one `SOURCE:TARGET[:MODE]` or `TARGET[:OPTIONS]`."""
    if isinstance(mount, Mapping):
        return str(mount.get("target", mount.get("source")))
    parts = [part for part in str(mount).replace("${DOCKER_SOCKET:-", "${DOCKER_SOCKET-").split(":") if part]
    return next((part for part in parts[1:] if part.startswith("/")), parts[0])
