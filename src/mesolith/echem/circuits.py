"""Equivalent circuits: a short string, its impedance and the derivatives of it.

    "R0-p(R1,CPE1)-p(R2,CPE2)-W1"

is a resistance, two depressed arcs and a Warburg element in series; p(...) is parallel, and both
may be nested. Elements, omega being 2 pi f:

    R    resistance, ohm                               Z = R
    C    capacitance, F                                Z = 1 / (j omega C)
    L    inductance, H                                 Z = j omega L
    CPE  constant phase element, Q (ohm-1 s^n) and n   Z = 1 / (Q (j omega)^n)
    W    half-infinite diffusion, ohm s^-1/2           Z = W (1 - j) / sqrt(omega)
    Ws   finite diffusion to a sink, R (ohm), tau (s)  Z = R tanh(s) / s, s = sqrt(j omega tau)
    Wo   finite diffusion to a wall, R (ohm), tau (s)  Z = R coth(s) / s
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError

ComplexArray = NDArray[np.complex128]
AUTO = "auto"  # the circuit is to be chosen
Kind = Literal["level", "inverse", "exponent", "time"]

# kind of each parameter: "level" grows with the size of the impedance, "inverse" falls with it
_PARAMETERS: dict[str, tuple[tuple[str, str, Kind], ...]] = {
    "R": (("", "ohm", "level"),),
    "C": (("", "F", "inverse"),),
    "L": (("", "H", "level"),),
    "CPE": (("_Q", "ohm-1 s^n", "inverse"), ("_n", "1", "exponent")),
    "W": (("", "ohm s^-1/2", "level"),),
    "Ws": (("_R", "ohm", "level"), ("_tau", "s", "time")),
    "Wo": (("_R", "ohm", "level"), ("_tau", "s", "time")),
}
_TOKEN = re.compile(r"\s*(p\(|\)|,|-|(?:CPE|Ws|Wo|R|C|L|W)\d*)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a circuit: ``CPE1_n`` and how it enters."""

    name: str
    unit: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Node:
    """An element, or parts in series or in parallel; ``first`` is its first parameter's place."""

    kind: str
    parts: tuple[Node, ...]
    first: int
    count: int

    @property
    def shape(self) -> str:
        """The circuit without the numbers of its elements."""
        inner = ",".join(part.shape for part in self.parts)
        return f"{self.kind}({inner})" if self.parts else self.kind


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit read from its string, with the names of its parameters in order."""

    text: str
    root: Node
    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, such as R0, CPE1_Q, CPE1_n."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def blocks(self) -> tuple[Node, ...]:
        """What stands in series at the top: the arcs of the spectrum."""
        return self.root.parts if self.root.kind == "series" else (self.root,)

    def impedance(self, frequency: FloatArray, values: FloatArray) -> ComplexArray:
        """Impedance (ohm, Im below zero for a capacitance) at frequencies (Hz), shape (n,)."""
        return node_impedance(self.root, frequency, values)[0]

    def impedance_and_derivatives(
        self, frequency: FloatArray, values: FloatArray
    ) -> tuple[ComplexArray, ComplexArray]:
        """Impedance (n,) and its derivative by each parameter, shape (p, n)."""
        return node_impedance(self.root, frequency, values)

    def direct_resistance(self, values: FloatArray) -> tuple[float, FloatArray]:
        """Resistance at zero frequency without half-infinite diffusion, and its gradient (p,)."""
        return _direct(self.root, values)


def circuit_from_text(text: str) -> Circuit:
    """Circuit of a string; `InvalidValueError` says where it cannot be read."""
    tokens: list[tuple[str, int]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        tokens.append((match[1], match.start(1)))
        at = match.end()
    reader = _Reader(text, tokens)
    root = reader.series()
    if reader.at < len(tokens):
        raise _unreadable(text, tokens[reader.at][1])
    return Circuit(text, root, tuple(reader.parameters))


def check_circuit(text: str) -> None:
    """Raise `InvalidValueError` where echem.circuit is neither "auto" nor a circuit."""
    if text != AUTO:
        try:
            circuit_from_text(text)
        except InvalidValueError as problem:
            raise InvalidValueError(
                problem.what, where="echem.circuit", remedy=problem.remedy
            ) from None


def node_impedance(
    node: Node, frequency: FloatArray, values: FloatArray
) -> tuple[ComplexArray, ComplexArray]:
    """Impedance of a part of a circuit, shape (n,), and its derivatives (count, n)."""
    if not node.parts:
        own = values[node.first : node.first + node.count]
        return _element(node.kind, 2.0 * np.pi * frequency, own)
    inner = [node_impedance(part, frequency, values) for part in node.parts]
    if node.kind == "series":
        total = np.sum([z for z, _ in inner], axis=0)
        return total, np.concatenate([d for _, d in inner])
    total = np.asarray(1.0 / np.sum([1.0 / z for z, _ in inner], axis=0), dtype=np.complex128)
    return total, np.concatenate([d * (total / z) ** 2 for z, d in inner])


class _Reader:
    """Reads the tokens of a circuit from left to right."""

    def __init__(self, text: str, tokens: list[tuple[str, int]]) -> None:
        self.text = text
        self.tokens = tokens
        self.at = 0
        self.parameters: list[Parameter] = []
        self.seen: set[str] = set()

    def series(self) -> Node:
        first = len(self.parameters)
        parts = [self.part()]
        while self.peek() == "-":
            self.at += 1
            parts.append(self.part())
        if len(parts) == 1:
            return parts[0]
        return Node("series", tuple(parts), first, len(self.parameters) - first)

    def part(self) -> Node:
        first = len(self.parameters)
        token = self.take()
        if token == "p(":
            parts = [self.series()]
            while (token := self.take()) == ",":
                parts.append(self.series())
            if token != ")" or len(parts) < 2:
                raise self.wrong()
            return Node("parallel", tuple(parts), first, len(self.parameters) - first)
        kind = token.rstrip("0123456789")
        if kind not in _PARAMETERS or token in self.seen:
            raise self.wrong()
        self.seen.add(token)
        self.parameters += [Parameter(token + end, unit, k) for end, unit, k in _PARAMETERS[kind]]
        return Node(kind, (), first, len(self.parameters) - first)

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        if self.at >= len(self.tokens):
            raise _unreadable(self.text, len(self.text))
        self.at += 1
        return self.tokens[self.at - 1][0]

    def wrong(self) -> InvalidValueError:
        return _unreadable(self.text, self.tokens[self.at - 1][1])


def _direct(node: Node, values: FloatArray) -> tuple[float, FloatArray]:
    gradient = np.zeros(len(values))
    if node.kind in ("R", "Ws"):
        gradient[node.first] = 1.0
        return float(values[node.first]), gradient
    if not node.parts:
        return (0.0 if node.kind in ("L", "W") else float("inf")), gradient
    inner = [_direct(part, values) for part in node.parts]
    if node.kind == "series":
        return sum(r for r, _ in inner), np.sum([slope for _, slope in inner], axis=0)
    if any(r == 0.0 for r, _ in inner):
        return 0.0, gradient
    conductance = sum(1.0 / r for r, _ in inner)
    if conductance == 0.0:
        return float("inf"), gradient
    total = 1.0 / conductance
    return total, np.sum([slope * (total / r) ** 2 for r, slope in inner], axis=0)


def _unreadable(text: str, at: int) -> InvalidValueError:
    return InvalidValueError(
        f"the circuit {text!r} cannot be read from its character {at + 1} on",
        remedy='Write elements R C L CPE W Ws Wo, each name once, in series with "-" and in '
        'parallel with p(...,...): "R0-p(R1,CPE1)-p(R2,CPE2)-W1".',
    )


def _element(kind: str, omega: FloatArray, own: FloatArray) -> tuple[ComplexArray, ComplexArray]:
    level = float(own[0])
    slope: ComplexArray
    z: ComplexArray
    if kind == "R":
        z = np.full(len(omega), level, dtype=np.complex128)
        return z, np.ones((1, len(omega)), dtype=np.complex128)
    if kind == "L":
        slope = np.asarray(1j * omega, dtype=np.complex128)
        return level * slope, slope[None]
    if kind == "W":
        slope = np.asarray((1.0 - 1.0j) / np.sqrt(omega), dtype=np.complex128)
        return level * slope, slope[None]
    if kind == "C":
        z = np.asarray(1.0 / (1j * omega * level), dtype=np.complex128)
        return z, (-z / level)[None]
    if kind == "CPE":
        logarithm = np.log(omega) + 0.5j * np.pi
        z = np.exp(-own[1] * logarithm) / level
        return z, np.stack([-z / level, -z * logarithm])
    tau = float(own[1])
    s = np.sqrt(1j * omega * tau)
    hyperbolic = np.tanh(s) if kind == "Ws" else 1.0 / np.tanh(s)
    shape = hyperbolic / s
    return level * shape, np.stack([shape, 0.5 * level / tau * (1.0 - hyperbolic**2 - shape)])
