"""A teacher over real HTTP that misbehaves on request and knows the right grade of each request.

What belongs here: the server and its faults. What does not: assertions. It speaks HTTP/1.1 by hand,
because the faults lie below what a web framework lets out: resets, bodies that stop, bodies a byte
at a time.
"""

import asyncio
import hashlib
import json
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any

from relabel_assets.teacher.requests import request_key

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    429: "Too Many Requests",
}


def true_grade(body: dict[str, Any]) -> int:
    """The right grade of a request, from a hash of its last message."""
    return hashlib.sha256(body["messages"][-1]["content"].encode()).digest()[0] % 4


def chat_body(content: Any, **message: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": content, **message},
    }
    usage = {"prompt_tokens": 700, "completion_tokens": 20, "total_tokens": 720}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "fake",
        "choices": [choice],
        "usage": usage,
    }


def _answer(grade: int) -> str:
    return json.dumps({"rationale": "because", "grade": grade})


def good_reply(grade: int) -> dict[str, Any]:
    return chat_body(_answer(grade))


def error_body(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "error", "param": None, "code": code}}


def _cut(content: str) -> dict[str, Any]:
    body = chat_body(content)
    body["choices"][0]["finish_reason"] = "length"
    return body


# name -> (status, headers, body) for a request with the right grade `grade`; a str body is sent raw
ANSWERS: dict[str, Callable[[int], tuple[int, dict[str, str], Any]]] = {
    "429": lambda grade: (429, {}, error_body("slow down", "rate_limit_exceeded")),
    "429 retry-after": lambda grade: (429, {"retry-after": "0.01"}, error_body("slow down")),
    "429 retry-after-ms": lambda grade: (429, {"retry-after-ms": "5"}, error_body("slow down")),
    "500": lambda grade: (500, {}, error_body("boom")),
    "502 html": lambda grade: (502, {}, "<html>bad gateway</html>"),
    "503": lambda grade: (503, {"retry-after": "0"}, ""),
    "not json": lambda grade: (200, {}, "<html>a login page</html>"),
    "error in 200": lambda grade: (200, {}, error_body("upstream failed")),
    "truncated json": lambda grade: (
        200,
        {},
        chat_body('{"rationale": "a {\\"grade\\": 3} in it", "grade"'),
    ),
    "cut reply": lambda grade: (200, {}, _cut('{"rationale": "so lo')),
    "wrong schema": lambda grade: (200, {}, chat_body(json.dumps({"score": (grade + 1) % 4}))),
    "only prose": lambda grade: (
        200,
        {},
        chat_body(f"I would say this is a {(grade + 1) % 4} out of 3."),
    ),
    "two objects": lambda grade: (
        200,
        {},
        chat_body('The document says {"grade": 3}. I say {"grade": 0}.'),
    ),
    "empty choices": lambda grade: (200, {}, {**good_reply(grade), "choices": []}),
    "no message": lambda grade: (200, {}, {**good_reply(grade), "choices": [{"index": 0}]}),
    "empty content": lambda grade: (200, {}, chat_body("")),
    "word": lambda grade: (200, {}, chat_body('{"rationale": "r", "grade": "three"}')),
    "too high": lambda grade: (200, {}, chat_body('{"rationale": "r", "grade": 7}')),
    "negative": lambda grade: (200, {}, chat_body('{"rationale": "r", "grade": -1}')),
    "fraction": lambda grade: (200, {}, chat_body('{"rationale": "r", "grade": 1.5}')),
    "boolean": lambda grade: (200, {}, chat_body('{"rationale": "r", "grade": true}')),
    "refusal": lambda grade: (200, {}, chat_body(None, refusal="I cannot help with that.")),
    "draft in reasoning": lambda grade: (
        200,
        {},
        chat_body("", reasoning_content=f"Maybe {_answer((grade + 1) % 4)}, but it has no date."),
    ),
    "thoughts without an end": lambda grade: (
        200,
        {},
        chat_body(f"So <think>it is {_answer((grade + 1) % 4)}"),
    ),
    "grade twice": lambda grade: (
        200,
        {},
        chat_body(f'{{"grade": {grade}, "rationale": "r", "grade": {(grade + 1) % 4}}}'),
    ),
    "two choices": lambda grade: (
        200,
        {},
        chat_body(_answer(grade))
        | {"choices": [chat_body(_answer(g))["choices"][0] for g in (grade, (grade + 1) % 4)]},
    ),
    # not faults: ways in which servers differ
    "fence": lambda grade: (
        200,
        {},
        chat_body(f'Sure!\n```json\n{{"rationale": "r", "grade": {grade}}}\n```'),
    ),
    "digit string": lambda grade: (
        200,
        {},
        chat_body(json.dumps({"rationale": "r", "grade": str(grade)})),
    ),
    "float": lambda grade: (
        200,
        {},
        chat_body(json.dumps({"rationale": "r", "grade": float(grade)})),
    ),
    "parts": lambda grade: (
        200,
        {},
        chat_body([{"type": "text", "text": json.dumps({"rationale": "r", "grade": grade})}]),
    ),
    "no usage": lambda grade: (
        200,
        {},
        {k: v for k, v in good_reply(grade).items() if k not in ("usage", "id")},
    ),
    "null usage": lambda grade: (
        200,
        {},
        {**good_reply(grade), "usage": None, "extra": {"timings": [1.5]}},
    ),
    "reasoning": lambda grade: (
        200,
        {},
        chat_body(
            json.dumps({"rationale": "r", "grade": grade}), reasoning_content="hm", refusal=None
        ),
    ),
    "thoughts": lambda grade: (
        200,
        {},
        chat_body(f"Maybe {_answer((grade + 1) % 4)}? No.\n</think>\n\n{_answer(grade)}"),
    ),
    "answer as reasoning": lambda grade: (
        200,
        {},
        chat_body(None, reasoning_content=_answer(grade)),
    ),
    "tool call": lambda grade: (
        200,
        {},
        chat_body(None, tool_calls=[{"function": {"name": "f", "arguments": _answer(grade)}}]),
    ),
    "raw line break": lambda grade: (
        200,
        {},
        chat_body(f'{{"rationale": "two\nlines", "grade": {grade}}}'),
    ),
}
DIFFERENCES = (
    "fence",
    "digit string",
    "float",
    "parts",
    "no usage",
    "null usage",
    "reasoning",
    "thoughts",
    "answer as reasoning",
    "tool call",
    "raw line break",
)
FAULTS = (
    *(name for name in ANSWERS if name not in DIFFERENCES),
    "reset",
    "cut body",
    "slow body",
    "hang",
)


class TeacherServer:
    """A server on a free port; `choose(body, key, nth)` names an answer or fault, or None."""

    def __init__(
        self,
        choose: Callable[[dict[str, Any], str, int], str | None] = lambda body, key, nth: None,
        latency_s: float = 0.0,
    ) -> None:
        self.choose, self.latency_s = choose, latency_s
        self.answers = dict(ANSWERS)
        self.behave: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: good_reply(
            true_grade(body)
        )
        self.requests: Counter[str] = Counter()  # by key
        self.answered: Counter[str] = Counter()  # by key: a good reply was written out whole
        self.bodies: dict[str, dict[str, Any]] = {}
        self.authorizations: Counter[str] = Counter()
        self.paths: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(
            self._connection, "127.0.0.1", 0, backlog=1024, limit=1 << 24
        )
        self.port = server.sockets[0].getsockname()[1]
        return server

    @contextmanager
    def running(self) -> Any:
        """Serve in a thread until the block ends."""
        loop, started = asyncio.new_event_loop(), threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(self.start())
            started.set()
            loop.run_forever()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        started.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
        }
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        self.authorizations[headers.get("authorization", "")] += 1
        self.paths[head.split(" ")[1]] += 1
        body = json.loads(raw)
        key = request_key(body)
        self.requests[key] += 1
        self.bodies[key] = body
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            return await self._answer(writer, body, key)
        finally:
            self.in_flight -= 1

    def reply(self, body: dict[str, Any], key: str) -> tuple[str | None, tuple[int, Any, Any]]:
        """The name of the answer or fault, and the status, headers and body of the response."""
        name = self.choose(body, key, self.requests[key])
        if name in self.answers:
            return name, self.answers[name](true_grade(body))
        return name, (200, {}, self.behave(body))

    async def _answer(self, writer: asyncio.StreamWriter, body: dict[str, Any], key: str) -> bool:
        name, (status, headers, answer) = self.reply(body, key)
        text = answer if isinstance(answer, str | bytes) else json.dumps(answer)
        data = text.encode() if isinstance(text, str) else text
        lines = [
            f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}",
            "content-type: application/json",
        ]
        lines += [
            f"content-length: {len(data)}",
            *(f"{field}: {value}" for field, value in headers.items()),
        ]
        start = ("\r\n".join(lines) + "\r\n\r\n").encode()
        if name == "reset":
            writer.transport.abort()
            return False
        if name == "hang":
            await asyncio.sleep(30)
            return False
        if name == "cut body":
            writer.write(start + data[: len(data) // 2])
            await writer.drain()
            return False
        if name == "slow body":
            writer.write(start)
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
            return True
        writer.write(start + data)
        await writer.drain()
        if name is None or name in DIFFERENCES:
            self.answered[key] += 1
        return True


def choose_at_random(
    share: float, faults: tuple[str, ...], seed: int, differences: Iterable[str] = DIFFERENCES
) -> Callable[[dict[str, Any], str, int], str | None]:
    """A fault for `share` of the requests, fixed by request and try; others get a difference."""

    def choose(body: dict[str, Any], key: str, nth: int) -> str | None:
        chance = random.Random(f"{seed} {key} {nth}")
        if chance.random() < share:
            return chance.choice(faults)
        return chance.choice((None, *differences))

    return choose


async def _serve_forever(latency_s: float) -> None:
    server = TeacherServer(latency_s=latency_s)
    async with await server.start() as listening:
        print(server.port, flush=True)
        await listening.serve_forever()


if __name__ == "__main__":  # the benchmark runs the server in its own process
    asyncio.run(_serve_forever(float(sys.argv[1])))
