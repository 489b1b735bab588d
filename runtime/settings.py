"""Settings: `headwater.toml`, overridden by `HEADWATER_<SECTION>__<KEY>`; every value knows where
it came from.

Rules
1. A section is a pydantic model with `extra="forbid"` (derive from `Section`); its room owns it.
2. A variable's `__` separates levels: `HEADWATER_ORIGIN__LIMITS__BODY_BYTES`. Lists, tables and
   whole models are JSON.
3. An unknown section or key is an error that names the nearest valid one. pydantic-settings ignores
   an unknown section (CMP-29), so the comparison is done here, for file and environment alike.
4. Messages never contain a value: it may be a secret.
"""

import difflib
import json
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from runtime import redact

PREFIX = "HEADWATER_"
NOT_SETTINGS = frozenset({"HEADWATER_TWINS"})  # read by the test run (CMP-5)
MAX_FILE_BYTES = 1 << 20

Path_ = tuple[str, ...]


class SettingsError(ValueError):
    """One line: what is wrong, where it was said, and what to write instead. Exit code 2."""

    code = "bad_settings"


class Section(BaseModel):
    """Base of a room's settings: unknown keys refused, values fixed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Loaded:
    """The effective settings: `values["origin"]` is a model, `where["origin.port"]` its source."""

    values: Mapping[str, BaseModel]
    where: Mapping[str, str]

    def masked(self) -> dict[str, Any]:
        """Everything as JSON types, secrets masked, for `headwater config`."""
        return {name: _masked(value, name) for name, value in self.values.items()}


def load(
    sections: Mapping[str, type[BaseModel]], file: Path | None, environ: Mapping[str, str]
) -> Loaded:
    """Read file and environment into the sections' models.

    Raises `SettingsError` for an unreadable file, an unknown section or key, or a value that does
    not fit.
    """
    raw: dict[str, Any] = {}
    sources: dict[Path_, str] = {}
    if file is not None:
        for path, value in _leaves(_read(file), ()):
            _known_section(path, sections, f"file {file}")
            _put(raw, sources, path, value, f"file {file}")
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            path = _variable_path(variable, sections)
            value = _parse(text, _type_at(sections[path[0]], path[1:]), variable)
            _put(raw, sources, path, value, f"env {variable}")
    values = {
        name: _build(name, model, raw.get(name, {}), sources) for name, model in sections.items()
    }
    where = {
        ".".join(path): _source(sources, path) or "default"
        for name, value in values.items()
        for path, _ in _leaves(value.model_dump(), (name,))
    }
    return Loaded(values, where)


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"cannot read settings file {file}: {error.strerror}") from None
    if len(text) > MAX_FILE_BYTES:
        raise SettingsError(f"settings file {file} is larger than {MAX_FILE_BYTES} bytes")
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {file} is not TOML: {error}") from None


def _leaves(value: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    """Every scalar, list and empty table below a nested mapping, with its path."""
    if isinstance(value, Mapping) and (value or not path):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    else:
        yield path, value


def _put(
    raw: dict[str, Any], sources: dict[Path_, str], path: Path_, value: Any, source: str
) -> None:
    """Set one value; what was said before about it or below it is forgotten."""
    for old in [p for p in sources if p[: len(path)] == path]:
        del sources[old]
    node = raw
    for key in path[:-1]:
        child = node.get(key)
        if not isinstance(child, dict):
            child = node[key] = {}
        node = child
    node[path[-1]] = value
    sources[path] = source


def _source(sources: Mapping[Path_, str], path: Path_) -> str | None:
    """Who said the value at this path: the nearest entry at or above it."""
    return next((sources[path[:n]] for n in range(len(path), 0, -1) if path[:n] in sources), None)


def _nearest(name: str, valid: typing.Iterable[str]) -> str:
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid: {', '.join(names) or 'none'}"


def _known_section(path: Path_, sections: Mapping[str, type[BaseModel]], source: str) -> None:
    if path[0] not in sections:
        raise SettingsError(
            f"unknown section {path[0]!r} ({source}); {_nearest(path[0], sections)}"
        )
    if len(path) == 1:
        raise SettingsError(f"{path[0]!r} must be a table ({source})")


def _variable_path(variable: str, sections: Mapping[str, type[BaseModel]]) -> Path_:
    path = tuple(variable[len(PREFIX) :].lower().split("__"))
    if len(path) == 1 or "" in path:
        known = [
            f"{PREFIX}{name}__{key}".upper()
            for name, model in sections.items()
            for key in model.model_fields
        ]
        raise SettingsError(
            f"{variable} is not of the form {PREFIX}<SECTION>__<KEY>; {_nearest(variable, known)}"
        )
    _known_section(path, sections, f"env {variable}")
    return path


def _choices(annotation: Any) -> Iterator[Any]:
    """The alternatives of a (possibly optional or annotated) type."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _choices(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for inner in typing.get_args(annotation):
            yield from _choices(inner)
    else:
        yield annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [c for c in _choices(annotation) if isinstance(c, type) and issubclass(c, BaseModel)]


def _type_at(annotation: Any, path: Path_) -> Any:
    """The declared type at a path below a model; None where the model has no such place."""
    for key in path:
        models = _models(annotation)
        tables = [c for c in _choices(annotation) if typing.get_origin(c) is dict]
        if models and key in models[0].model_fields:
            annotation = models[0].model_fields[key].annotation
        elif tables:
            annotation = typing.get_args(tables[0])[1]
        else:
            return None
    return annotation


def _parse(text: str, annotation: Any, variable: str) -> Any:
    """A variable's text as its type wants it: JSON for structured types, else the text for pydantic
    to convert.
    """
    structured = any(
        (typing.get_origin(c) or c) in (list, tuple, set, frozenset, dict) or _models(c)
        for c in _choices(annotation)
    )
    if not structured:
        return text
    try:
        return json.loads(text)
    except ValueError:
        if str in _choices(annotation):
            return text
        raise SettingsError(f"{variable} must be JSON") from None


def _build(
    name: str, model: type[BaseModel], raw: Mapping[str, Any], sources: Mapping[Path_, str]
) -> BaseModel:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = (name, *(str(part) for part in first["loc"]))
    source = _source(sources, path) or "not set"
    dotted = ".".join(path)
    if first["type"] == "extra_forbidden":
        owner = _models(_type_at(model, path[1:-1]))
        hint = _nearest(path[-1], owner[0].model_fields if owner else ())
        raise SettingsError(f"unknown key {dotted!r} ({source}); {hint}")
    raise SettingsError(f"{dotted}: {first['msg']} ({source})")


def _masked(value: Any, name: str) -> Any:
    if isinstance(value, BaseModel):
        return {key: _masked(getattr(value, key), key) for key in type(value).model_fields}
    if isinstance(value, SecretStr):
        return redact.MASK if value.get_secret_value() else ""
    if isinstance(value, Mapping):
        return {str(key): _masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner, name) for inner in value]
    return redact.tree(value, name)
