"""Group commit: one flush for all lines that arrive while the disk is busy.

What belongs here: the queue between event loop and ledger. What does not: the files (ledger.py).
"""

import asyncio

from relabel_assets.teacher.ledger.ledger import Ledger


class LedgerWriter:
    """`async with LedgerWriter(ledger, corpus) as writer`. The exit writes all remaining lines."""

    def __init__(self, ledger: Ledger, corpus: str) -> None:
        self._ledger = ledger
        self._corpus = corpus
        self._waiting: list[tuple[bytes, asyncio.Future[None] | None]] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Future[None] | None = None

    async def __aenter__(self) -> "LedgerWriter":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        self._ledger.append(self._corpus, [line for line, _ in self._waiting])
        self._waiting.clear()

    def put(self, line: bytes) -> None:
        """Append `line` with the next commit or at the exit: a request line needs no own flush."""
        self._waiting.append((line, None))

    async def commit(self, line: bytes) -> None:
        """Append `line` and return when it is on the disk. Raises TeacherError if it cannot be."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, written))
        self._arrived.set()
        await written

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._waiting = self._waiting, []
            lines = [line for line, _ in batch]
            self._writing = loop.run_in_executor(None, self._ledger.append, self._corpus, lines)
            try:
                await asyncio.shield(self._writing)
                error = None
            except Exception as failure:
                error = failure
            for _, written in batch:
                if written is not None and not written.done():
                    if error is None:
                        written.set_result(None)
                    else:
                        written.set_exception(error)
