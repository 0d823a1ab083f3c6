"""Every error a user can meet: what happened, where, and what to do now."""

from __future__ import annotations

from typing import Any


class MesolithError(Exception):
    """An error that answers three questions.

    Parameters
    ----------
    what
        What is wrong, with the numbers: what was found, what was expected.
    where
        File, line, data set or step; printed first.
    remedy
        What the user can do now; printed on a line of its own.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        return text if self.remedy is None else f"{text}\n  {self.remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(
    kind: type[MesolithError], what: str, where: str | None, remedy: str | None
) -> MesolithError:
    return kind(what, where=where, remedy=remedy)


class InputError(MesolithError):
    """A user's file or value cannot be used as it is."""

    exit_code = 3


class FileFormatError(InputError):
    """The content is not what the format promises."""


class UnknownFormatError(FileFormatError):
    """No reader recognises the content."""


class TruncatedFileError(FileFormatError):
    """The file ends before its own count says it should."""


class EmptyFileError(FileFormatError):
    """The file holds no data at all."""


class MissingColumnError(FileFormatError):
    """A column that the analysis needs is absent."""


class MissingFrameError(InputError):
    """Frames are absent from a rotation, or the angle of a frame is not known."""


class InvalidValueError(InputError):
    """A value is not a number, out of range, or against physics."""


class DuplicateError(InputError):
    """Something that must be unique is not."""


class UnitError(InputError):
    """A unit is missing, unknown or of the wrong kind."""


class OrientationError(InputError):
    """An orientation matrix is no proper rotation."""


class ClockError(InputError):
    """Times are naive, ambiguous or contradict each other."""


class ContradictionError(InputError):
    """Two sources state what cannot both be true."""


class SettingsError(InputError):
    """cell.toml or a command line holds a mistake."""

    exit_code = 2


class OutputPlaceError(InputError):
    """The place for results lies inside raw data, or cannot be written."""


class MissingExtraError(MesolithError):
    """A command needs an optional dependency that is not installed."""


class ResultVersionError(MesolithError):
    """A result was written by a newer format than this version knows."""


class VolumeTooLargeError(MesolithError):
    """An array larger than the limit was asked for at once."""


class StoreError(MesolithError):
    """The store cannot do what it promises."""

    exit_code = 4


class CorruptResultError(StoreError):
    """A stored result does not match its manifest."""


class StoreFullError(StoreError):
    """No space, quota or file size is left for a result."""


class StorePermissionError(StoreError):
    """The store's place cannot be read or written."""


class PartError(MesolithError):
    """A part of a step failed with an error of its own."""

    exit_code = 5


class WorkerLostError(PartError):
    """A worker process died twice on the same part."""


class RunInterrupted(MesolithError):  # noqa: N818 - an interruption, not a mistake
    """The run was stopped; what is finished is kept."""

    exit_code = 130
