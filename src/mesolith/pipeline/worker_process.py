"""The loop of a local worker: tasks come through standard input, answers leave through a pipe.

The process ends as soon as its parent does, even in the middle of a part: a run that was killed
leaves nobody behind. Ctrl-C is the parent's business.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO


def main() -> None:
    """Answer tasks until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a part prints must not mix with the answers
    faulthandler.enable()
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True).start()
    while True:
        task = tasks.get()
        try:
            function, arguments, named = pickle.loads(task)
            answer = (True, function(*arguments, **named))
        except Exception as error:
            answer = (False, error)
        answers.write(_packed(answer))
        answers.flush()


def _receive(stream: BinaryIO, tasks: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            task = pickle.load(stream)
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)
        tasks.put(task)


def _packed(answer: tuple[bool, Any]) -> bytes:
    try:
        return pickle.dumps(answer)
    except Exception as error:
        return pickle.dumps((False, RuntimeError(f"the answer cannot be sent: {error}")))


if __name__ == "__main__":
    main()
