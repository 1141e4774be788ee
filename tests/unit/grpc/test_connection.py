"""A connection with its client, both in memory: what no client of gRPC's own says, or leaves unsaid."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import ngh2
import pytest

from model.errors import Overloaded
from model.grpc.connection import Connection, Service
from model.grpc.messages import framed
from model.grpc.stream import Method, Stream

NOW = float("inf")
HEADERS = {b":method": b"POST", b":scheme": b"http", b":authority": b"x", b":path": b"/s/echo"}
GRPC = {**HEADERS, b"content-type": b"application/grpc"}


class Pipe(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.ended = ""
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"


class Peer:
    """A client, and the connection that serves it."""

    def __init__(self, serve: Callable[[Stream], Awaitable[None]], *, streams: bool = False, **options: Any) -> None:
        limits = {"max_receive_bytes": 1000, "max_send_bytes": 1000, **options}
        self.service = Service(methods={b"/s/echo": Method(serve, client_streams=streams)}, **limits)
        self.h2 = ngh2.Connection(ngh2.Role.CLIENT)
        self.h2.initiate_connection()
        self.events: list[Any] = []
        self.transport = Pipe()
        self.connection = Connection(self.service)
        self.connection.connection_made(self.transport)

    async def talk(self) -> None:
        """Let both say all that they have to say."""
        for _ in range(5):
            if self.transport.written:
                self.h2.receive_data(bytes(self.transport.written))
                self.transport.written.clear()
            self.events += self.h2.events()
            with suppress(ngh2.ConnectionStateError):  # The connection has ended.
                self.tell(self.h2.data_to_send())
            for _ in range(5):
                await asyncio.sleep(0)

    def tell(self, data: bytes) -> None:
        if data and not self.transport.ended:
            self.connection.data_received(data)

    def ask(self, content: bytes = framed(b"hello"), *, end: bool = True, **headers: bytes) -> int:
        given = {**GRPC, **{name.replace("_", "-").encode(): value for name, value in headers.items()}}
        number = self.h2.send_request(list(given.items()))
        self.h2.send_data(number, content, end_stream=end)
        return number

    def trailers(self, number: int) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for event in self.events:
            if isinstance(event, ngh2.ResponseReceived | ngh2.TrailersReceived) and event.stream_id == number:
                found |= dict(event.headers)
        return found

    def kinds(self) -> list[type[ngh2.Event]]:
        return [type(event) for event in self.events]


async def echo(stream: Stream) -> None:
    stream.answer(await stream.message())


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_call_is_answered_and_ended() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        number = peer.ask(x_request_id=b"r-1")
        await peer.talk()
        ending = peer.trailers(number)
        assert (ending[b":status"], ending[b"grpc-status"], ending[b"x-request-id"]) == (b"200", b"0", b"r-1")
        (data,) = [event.data for event in peer.events if isinstance(event, ngh2.DataReceived)]
        assert data == framed(b"hello")

    run(scenario)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**GRPC, b":method": b"GET"}, b"405"),
        (HEADERS, b"415"),
        *(
            ({**HEADERS, b"content-type": kind}, b"415")
            for kind in (b"text/html", b"application/grpc-web", b"application/grpc-web+proto", b"application/grpc+json")
        ),
    ],
    ids=["method", "no content", "other content", "web", "web's own", "other messages"],
)
def test_what_is_http_but_no_grpc_is_told_so(headers: dict[bytes, bytes], status: bytes) -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        number = peer.h2.send_request(list(headers.items()), end_stream=True)
        await peer.talk()
        assert peer.trailers(number)[b":status"] == status
        assert not peer.transport.is_closing()

    run(scenario)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", b"12"),
        (framed(b"one") + framed(b"two"), b"12"),
        (framed(b"one") + framed(b"two")[:-1], b"3"),
        (framed(b"one")[:-1], b"3"),
        (b"\0\0\0", b"3"),
        (b"\2\0\0\0\0", b"3"),
    ],
    ids=["none", "two", "one and a half", "half", "half a length", "no mark"],
)
def test_a_call_takes_one_message(content: bytes, status: bytes) -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        number = peer.ask(content)
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == status

    run(scenario)


def test_a_second_message_ends_the_call_before_more_is_held() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        number = peer.ask(framed(b"one") + framed(b"two"), end=False)
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == b"12"
        assert ngh2.StreamReset in peer.kinds()
        assert peer.service.held_bytes == 0

    run(scenario)


@pytest.mark.parametrize("cut", range(1, 10))
def test_a_message_may_come_in_pieces(cut: int) -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        number = peer.ask(framed(b"hello")[:cut], end=False)
        await peer.talk()
        assert peer.service.held_bytes == cut
        peer.h2.send_data(number, framed(b"hello")[cut:])
        peer.h2.end_stream(number)
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == b"0"
        assert peer.service.held_bytes == 0

    run(scenario)


def test_what_comes_in_part_is_bounded_over_all_connections() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        part = framed(bytes(1000))[:-1]
        numbers = [peer.ask(part, end=False) for _ in range(20)]
        await peer.talk()
        refused = [number for number in numbers if peer.trailers(number)]
        assert len(refused) == 5
        assert {peer.trailers(number)[b"grpc-status"] for number in refused} == {b"8"}
        assert peer.service.held_bytes == 15 * len(part)
        small = peer.ask()
        await peer.talk()
        assert peer.trailers(small)[b"grpc-status"] == b"0"
        peer.connection.connection_lost(None)
        assert peer.service.held_bytes == 0

    run(scenario)


def test_answers_that_are_not_taken_are_bounded_and_dropped_in_time() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        await peer.talk()
        peer.h2.update_settings({ngh2.Setting.INITIAL_WINDOW_SIZE: 0})
        await peer.talk()
        numbers = [peer.ask(framed(bytes(990))) for _ in range(30)]
        await peer.talk()
        refused = [number for number in numbers if peer.trailers(number).get(b"grpc-status") == b"8"]
        assert len(refused) == 13
        assert peer.connection.unread() <= 17 * 1000
        peer.connection.close_if_slow(greeted_by=NOW, sent_by=0)
        assert peer.connection.unread()
        peer.connection.close_if_slow(greeted_by=NOW, sent_by=NOW)
        await peer.talk()
        assert peer.connection.unread() == 0
        codes = [event.error_code for event in peer.events if isinstance(event, ngh2.StreamReset)]
        assert codes == [ngh2.ErrorCode.CANCEL] * 17
        assert not peer.transport.is_closing()

    run(scenario)


def test_a_client_that_asks_on_without_reading_is_ended() -> None:
    async def scenario() -> None:
        async def echo_all(stream: Stream) -> None:
            async for message in stream.messages():
                stream.send(message)
            stream.end()

        peer = Peer(echo_all, streams=True)
        await peer.talk()
        peer.h2.update_settings({ngh2.Setting.INITIAL_WINDOW_SIZE: 0})
        await peer.talk()
        number = peer.ask(b"", end=False)
        for _ in range(50):
            with suppress(ngh2.StreamProtocolError):  # It has been ended.
                peer.h2.send_data(number, framed(bytes(100)))
            await peer.talk()
        assert [event.stream_id for event in peer.events if isinstance(event, ngh2.StreamReset)] == [number]
        assert peer.connection.unread() == peer.service.held_bytes == 0
        hasty = peer.ask(framed(b"") * 101, end=False)
        await peer.talk()
        assert peer.trailers(hasty)[b"grpc-status"] == b"8"

    run(scenario)


def test_messages_that_are_not_taken_are_dropped_in_time_and_a_stream_that_takes_them_is_not() -> None:
    async def echo_all(stream: Stream) -> None:
        async for message in stream.messages():
            stream.send(message)

    async def scenario() -> None:
        peer = Peer(echo_all, streams=True)
        taken = peer.ask(end=False)
        await peer.talk()
        peer.h2.update_settings({ngh2.Setting.INITIAL_WINDOW_SIZE: 0})
        left = peer.ask(end=False)
        await peer.talk()
        for time in (0.0, NOW, NOW):
            peer.connection.close_if_slow(greeted_by=time, sent_by=time)
        await peer.talk()
        assert [event.stream_id for event in peer.events if isinstance(event, ngh2.StreamReset)] == [left]
        assert taken != left
        assert peer.connection.unread() == 0

    run(scenario)


def test_more_connections_than_there_may_be_close_one_without_a_call() -> None:
    async def forever(_: Stream) -> None:
        await asyncio.sleep(1000)

    async def scenario() -> None:
        busy = Peer(forever, max_connections=2)
        busy.ask()
        await busy.talk()
        idle, new, more = Pipe(), Pipe(), Pipe()
        for transport in (idle, new):
            connection = Connection(busy.service)
            connection.connection_made(transport)
        assert (busy.transport.ended, idle.ended, new.ended) == ("", "aborted", "")
        busy.service.max_connections = 1
        busy.service.connections.intersection_update({busy.connection})
        Connection(busy.service).connection_made(more)
        assert (busy.transport.ended, more.ended) == ("", "aborted")
        busy.connection.connection_lost(None)

    run(scenario)


def test_a_message_marked_as_compressed_by_nothing_is_an_internal_error() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        number = peer.ask(b"\1\0\0\0\1x")
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == b"13"

    run(scenario)


def test_an_error_ends_the_call_with_its_status_and_when_to_try_again() -> None:
    async def refuse(_: Stream) -> None:
        raise Overloaded("Too much, 100 %.\n")

    async def scenario() -> None:
        peer = Peer(refuse)
        number = peer.ask()
        await peer.talk()
        ending = peer.trailers(number)
        assert (ending[b"grpc-status"], ending[b"grpc-message"]) == (b"8", b"Too much, 100 %25.%0A")
        assert ending[b"retry-after"] == b"1"

    run(scenario)


def test_a_call_that_is_refused_early_is_not_read_on() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        number = peer.ask(b"\0\xff\xff\xff\xff", end=False)
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == b"8"
        assert ngh2.StreamReset in peer.kinds()

    run(scenario)


@pytest.mark.parametrize(
    "kind", [b"application/grpc+proto", b"application/grpc;charset=utf-8", b"Application/gRPC+proto ; a=b"]
)
def test_protobuf_has_several_names(kind: bytes) -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        number = peer.ask(content_type=kind)
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == b"0"

    run(scenario)


def test_a_closed_connection_whose_client_does_not_take_the_rest_is_dropped_in_time() -> None:
    class Full(Pipe):
        def close(self) -> None:
            self.ended = self.ended or "closing"

        def abort(self) -> None:
            self.ended = "aborted"

    async def scenario() -> None:
        peer = Peer(echo)
        await peer.talk()
        peer.transport = peer.connection._transport = Full()
        peer.connection.pause_writing()
        peer.connection.close()
        peer.connection.resume_writing()  # It has taken a part.
        ended = []
        for time in (0.0, NOW):
            peer.connection.close_if_slow(greeted_by=time, sent_by=time)
            ended.append(peer.transport.ended)
        assert ended == ["closing", "aborted"]

    run(scenario)


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(b"20S", 20), (b"2M", 120), (b"500m", 0.5), (b"99999999n", 0.1), (b"1H", 3600)]
)
def test_the_deadline_is_read(timeout: bytes, seconds: float) -> None:
    deadlines: list[float | None] = []

    async def note(stream: Stream) -> None:
        deadlines.append(stream.deadline)
        stream.answer(b"")

    async def scenario() -> None:
        peer = Peer(note)
        for value in (timeout, b"soon", b"123456789S"):
            peer.ask(grpc_timeout=value)
        await peer.talk()
        assert deadlines[0] == pytest.approx(asyncio.get_running_loop().time() + seconds, abs=5)
        assert deadlines[1:] == [None, None]

    run(scenario)


def test_a_client_that_gives_up_stops_the_work() -> None:
    stopped = asyncio.Event()

    async def work(_: Stream) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            stopped.set()

    async def scenario() -> None:
        peer = Peer(work)
        number = peer.ask()
        await peer.talk()
        peer.h2.reset_stream(number)
        await peer.talk()
        assert stopped.is_set()
        assert not peer.transport.is_closing()

    run(scenario)


def test_a_connection_that_is_lost_stops_the_work() -> None:
    stopped = asyncio.Event()

    async def work(_: Stream) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            stopped.set()

    async def scenario() -> None:
        peer = Peer(work)
        peer.ask()
        await peer.talk()
        peer.connection.connection_lost(None)
        await stopped.wait()
        assert peer.service.connections == set()

    run(scenario)


def test_a_client_that_says_nothing_is_dropped_in_time() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        peer.connection.close_if_slow(greeted_by=0, sent_by=0)
        assert not peer.transport.is_closing()
        peer.connection.close_if_slow(greeted_by=NOW, sent_by=0)
        assert peer.transport.ended == "aborted"

    run(scenario)


def test_a_request_that_does_not_come_whole_is_ended_in_time_and_others_are_not() -> None:
    async def wait(stream: Stream) -> None:
        await asyncio.sleep(0.1)
        stream.answer(b"")

    async def scenario() -> None:
        peer = Peer(wait)
        slow, whole = peer.ask(end=False), peer.ask()
        await peer.talk()
        peer.connection.close_if_slow(greeted_by=NOW, sent_by=NOW)
        await asyncio.sleep(0.2)
        await peer.talk()
        assert peer.trailers(slow)[b"grpc-status"] == b"4"
        assert peer.trailers(whole)[b"grpc-status"] == b"0"

    run(scenario)


def test_a_client_that_does_not_read_is_sent_no_more_and_dropped_in_time() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        await peer.talk()
        peer.connection.pause_writing()
        number = peer.ask()
        await peer.talk()
        assert peer.trailers(number) == {}
        reading = [peer.transport.reading]
        peer.connection.resume_writing()
        reading.append(peer.transport.reading)
        assert reading == [False, True]
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == b"0"
        peer.connection.pause_writing()
        peer.connection.close_if_slow(greeted_by=NOW, sent_by=NOW)
        assert peer.transport.ended == "aborted"

    run(scenario)


def test_a_client_that_sends_without_end_leaves_others_their_turn() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        await peer.talk()
        turns: list[bool] = []
        asyncio.get_running_loop().call_soon(lambda: turns.append(peer.transport.reading))
        peer.tell(b"\0\0\4\x08\0\0\0\0\0\0\0\0\1" * 20_000)
        await peer.talk()
        turns.append(peer.transport.reading)
        assert turns == [False, True]

    run(scenario)


def test_calls_on_their_way_when_it_shuts_down_are_answered_and_then_it_closes() -> None:
    async def scenario() -> None:
        peer = Peer(echo)
        await peer.talk()
        number = peer.ask()
        on_its_way = peer.h2.data_to_send()
        peer.connection.shut_down()
        peer.tell(on_its_way)
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == b"0"
        assert ngh2.GoAwayReceived in peer.kinds()
        assert peer.transport.ended == "closed"

    run(scenario)


def test_an_old_connection_is_shut_down_and_in_the_end_its_calls_are_given_up() -> None:
    async def forever(_: Stream) -> None:
        await asyncio.sleep(1000)

    async def scenario() -> None:
        peer = Peer(forever, max_age_seconds=0.05, age_grace_seconds=0.1)
        number = peer.ask()
        await peer.talk()
        await asyncio.sleep(0.1)
        await peer.talk()
        assert ngh2.GoAwayReceived in peer.kinds()
        assert not peer.transport.is_closing()
        await asyncio.sleep(0.2)
        await peer.talk()
        assert peer.trailers(number)[b"grpc-status"] == b"14"
        assert peer.transport.ended == "closed"

    run(scenario)
