"""Query strings as PHP reads them: nested brackets become nested maps."""

from typing import Any
from urllib.parse import unquote_plus

Tree = dict[str, Any]
MAX_PAIRS = 1000
"""PHP's ``max_input_vars``: what comes after is ignored."""


def parse(query: str) -> Tree:
    """Return a raw query string as a tree, e.g. ``a[b][0]=c`` as ``{"a": {"b": {"0": "c"}}}``.

    Parameters
    ----------
    query:
        Still percent-encoded; a ``+`` is a space here, though it is not one in OAuth's signature.
    """
    tree: Tree = {}
    for pair in [pair for pair in query.split("&") if pair][:MAX_PAIRS]:
        key, _, value = pair.partition("=")
        _put(tree, _path(unquote_plus(key)), unquote_plus(value))
    return tree


def _path(key: str) -> list[str]:
    name, bracket, rest = key.partition("[")
    if not bracket or not rest.endswith("]"):
        return [key]
    return [name, *rest[:-1].split("][")]


def _put(tree: Tree, path: list[str], value: str) -> None:
    *parents, last = path
    for name in parents:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            inner = tree[name] = {}
        tree = inner
    tree[last or str(len(tree))] = value
