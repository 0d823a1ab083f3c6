"""How a record declares its fields: unit, axes, shape, label and where the error stands.

Every field is declared once. Table columns, NeXus attributes, viewer labels and docs derive
from the declaration.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import InvalidValueError, MissingExtraError
from mesolith.units import internal_unit

if TYPE_CHECKING:
    import pandas
    import xarray

_KEY = "mesolith"
_SUFFIX = {
    "1": "",
    "MPa": "mpa",
    "A/m2": "a_m2",
    "C/m2": "c_m2",
    "V": "volt",
    "A": "ampere",
    "V/s": "volt_s",
    "ohm m2": "ohm_m2",
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """Declaration of one field.

    ``shape`` holds names (one per length that only the data know; the same name is the same
    length everywhere in the record) and numbers. ``unit`` is an internal unit, "1" for a pure
    number. ``components`` names the columns of a table made from the trailing numeric axes.
    ``error`` names the field of the same record that holds its standard error or covariance.
    """

    label: str
    unit: str
    shape: tuple[str | int, ...]
    axes: str | None
    error: str | None
    components: tuple[str, ...]
    dtype: str
    optional: bool


def quantity(
    label: str,
    *,
    unit: str = "1",
    shape: tuple[str | int, ...] = (),
    axes: str | None = None,
    error: str | None = None,
    components: tuple[str, ...] = (),
    dtype: str = "float64",
    optional: bool = False,
) -> Any:
    """Declare a field: an array, or a plain number where ``shape`` is ().

    ``dtype`` is "float64", "int64", "bool" or "str" (a tuple of strings, or one string where
    ``shape`` is ()). An optional field may be None.
    """
    declared = Quantity(label, internal_unit(unit), shape, axes, error, components, dtype, optional)
    if optional:
        return dataclasses.field(default=None, metadata={_KEY: declared})
    return dataclasses.field(metadata={_KEY: declared})


def nested() -> Any:
    """Declare a field that holds another record and must be given."""
    return dataclasses.field()


@dataclass(frozen=True, slots=True)
class CommonMode:
    """An error that shifts all rows together, such as the reference lattice parameter.

    ``derivatives`` maps a field's name to its derivative with respect to the mode, in the
    field's shape (or one that broadcasts to it); the field moves by ``sigma * derivative`` when
    the mode is off by one standard deviation. Modes of the same name in two records are the
    same error; give a mode of one state a name of its own.
    """

    name: str
    sigma: float
    unit: str
    derivatives: Mapping[str, NDArray[np.float64]]

    def __post_init__(self) -> None:
        frozen = {}
        for field, values in self.derivatives.items():
            array = np.array(values, dtype=np.float64)
            array.flags.writeable = False
            frozen[field] = array
        object.__setattr__(self, "derivatives", MappingProxyType(frozen))

    def __reduce__(self) -> Any:
        return CommonMode, (self.name, self.sigma, self.unit, dict(self.derivatives))


@dataclass(frozen=True, slots=True)
class Record:
    """Base of all records: checked at birth, read-only afterwards.

    A field that is not declared by `quantity` holds another record, a tuple of records, a tuple
    of `CommonMode`, or None. ``plot`` names the signal and the axis of its default picture.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    def __post_init__(self) -> None:
        lengths: dict[str, int] = {}
        for name, declared in quantities(type(self)).items():
            value = getattr(self, name)
            if value is None:
                if not declared.optional:
                    raise InvalidValueError(f"{type(self).__name__}.{name} is missing")
                continue
            object.__setattr__(
                self, name, _checked(type(self).__name__, name, value, declared, lengths)
            )
        self._check()

    def _check(self) -> None:
        """Override to check what the declaration cannot say."""

    def standard_error(self, name: str) -> NDArray[np.float64] | None:
        """Random standard error of a field, in the field's shape; None where it has none.

        A record that keeps a covariance overrides this to take its diagonal.
        """
        error = quantities(type(self))[name].error
        if error is None:
            return None
        values, sigma = getattr(self, name), getattr(self, error)
        if values is None or sigma is None or np.shape(values) != np.shape(sigma):
            return None
        return np.asarray(sigma, dtype=np.float64)

    @property
    def lengths(self) -> dict[str, int]:
        """Length of each named axis."""
        found: dict[str, int] = {}
        for name, declared in quantities(type(self)).items():
            value = getattr(self, name)
            if value is not None:
                for axis, length in zip(declared.shape, np.shape(value), strict=True):
                    if isinstance(axis, str):
                        found[axis] = length
        return found

    def columns(self, axis: str | None = None) -> dict[str, tuple[Quantity, NDArray[Any]]]:
        """Table columns along one named axis (default: the first), name -> (quantity, values).

        A column is called FIELD[_COMPONENT][_UNIT]; fields without a table form (covariances,
        more than one named axis) are left out.
        """
        table: dict[str, tuple[Quantity, NDArray[Any]]] = {}
        for name, declared in quantities(type(self)).items():
            value = getattr(self, name)
            if value is None or not declared.shape:
                continue
            if axis is None:
                axis = str(declared.shape[0])
            if declared.shape[0] != axis:
                continue
            if any(isinstance(other, str) for other in declared.shape[1:]):
                continue
            suffix = _SUFFIX.get(declared.unit, declared.unit)
            tail = f"_{suffix}" if suffix else ""
            values = np.asarray(value)
            if values.ndim == 1:
                table[f"{name}{tail}"] = (declared, values)
            elif declared.components:
                flat = values.reshape(values.shape[0], math.prod(values.shape[1:]))
                for k, component in enumerate(declared.components):
                    table[f"{name}_{component}{tail}"] = (declared, flat[:, k])
        return table

    def to_pandas(self, axis: str | None = None) -> pandas.DataFrame:
        """Table along one named axis as a pandas DataFrame (needs the extra ``table``)."""
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError(
                "to_pandas needs pandas", remedy='pip install "mesolith[table]"'
            ) from None
        return pd.DataFrame({name: values for name, (_, values) in self.columns(axis).items()})

    def to_xarray(self) -> xarray.Dataset:
        """All array fields as an xarray Dataset (needs the extra ``table``)."""
        try:
            import xarray as xr
        except ImportError:
            raise MissingExtraError(
                "to_xarray needs xarray", remedy='pip install "mesolith[table]"'
            ) from None
        variables = {}
        for name, declared in quantities(type(self)).items():
            value = getattr(self, name)
            if value is None:
                continue
            dims = [
                a if isinstance(a, str) else f"{name}_axis{k}" for k, a in enumerate(declared.shape)
            ]
            attrs = {"units": declared.unit, "long_name": declared.label}
            variables[name] = (dims, np.asarray(value), attrs)
        return xr.Dataset(variables)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{declared.label}</td><td>{declared.unit}</td>"
            f"<td>{' x '.join(str(n) for n in np.shape(getattr(self, name))) or 'value'}</td></tr>"
            for name, declared in quantities(type(self)).items()
            if getattr(self, name) is not None
        )
        head = "<tr><th>field</th><th>quantity</th><th>unit</th><th>shape</th></tr>"
        return f"<table><caption>{type(self).__name__}</caption>{head}{rows}</table>"


def quantities(record: type[Record]) -> dict[str, Quantity]:
    """Declared fields of a record type, in order."""
    return {f.name: f.metadata[_KEY] for f in dataclasses.fields(record) if _KEY in f.metadata}


def children(record: Record) -> Iterator[tuple[str, Any]]:
    """Fields that are not declared quantities: nested records and common modes."""
    for f in dataclasses.fields(record):
        if _KEY not in f.metadata:
            yield f.name, getattr(record, f.name)


def _checked(owner: str, name: str, value: Any, declared: Quantity, lengths: dict[str, int]) -> Any:
    if declared.dtype == "str":
        if not declared.shape:
            return str(value)
        words = tuple(str(word) for word in value)
        _check_shape(owner, name, (len(words),), declared, lengths)
        return words
    if not declared.shape:
        return {"float64": float, "int64": int, "bool": bool}[declared.dtype](value)
    array = np.asarray(value)
    wanted = np.dtype(declared.dtype)
    if array.dtype != wanted or array.flags.writeable:
        if not np.can_cast(array.dtype, wanted, casting="same_kind"):
            raise InvalidValueError(
                f"{owner}.{name} has type {array.dtype}, expected {declared.dtype}"
            )
        array = array.astype(wanted, copy=True)
        array.flags.writeable = False
    _check_shape(owner, name, array.shape, declared, lengths)
    return array


def _check_shape(
    owner: str,
    name: str,
    shape: tuple[int, ...],
    declared: Quantity,
    lengths: dict[str, int],
) -> None:
    wrong = len(shape) != len(declared.shape)
    if not wrong:
        for axis, length in zip(declared.shape, shape, strict=True):
            expected = lengths.setdefault(axis, length) if isinstance(axis, str) else axis
            wrong = wrong or expected != length
    if wrong:
        known = tuple(lengths.get(a, a) if isinstance(a, str) else a for a in declared.shape)
        raise InvalidValueError(
            f"{owner}.{name} has shape {shape}, expected {declared.shape} with lengths {known}"
        )
