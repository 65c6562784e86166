"""The bus on Kafka: Apache Kafka, or the embedded broker. Nothing else imports aiokafka."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import ssl
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Final, Literal, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    OffsetOutOfRangeError,
    RequestTimedOutError,
    for_code,
)
from aiokafka.partitioner import DefaultPartitioner

from shared.bus import Headers, Partition, Record, beyond_end, check_assigned, check_size
from shared.clock import Clock, SystemClock
from shared.easing import Easing
from shared.errors import BusError, OffsetLost
from shared.hearing import hearing_of
from shared.kafkaprobe import addresses_of, why_of_no_use
from shared.kafkarecords import Records
from shared.kafkasecurity import security_of
from shared.kafkatopics import MAX_MESSAGE_BYTES, config_of
from shared.kafkawords import why_no_entry, why_refused
from shared.lanes import Sender
from shared.settings import CommonSettings
from shared.tls import why_not
from shared.topics import Topic

T = TypeVar("T")

# aiokafka logs every attempt of a lost connection, ten a second. What it says reaches the caller as BusError.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

_BATCH_BYTES: Final = 256 * 1024
_BUFFER_BYTES: Final = 16 * 1024 * 1024
# How long the broker may hold a fetch that finds nothing. The embedded one answers late: 500 ms make a message 130 ms
# old on arrival, 20 ms make it 6 ms, for 3 % of a core.
_FETCH_WAIT_MS: Final = 20
_PATIENT_BYTES: Final = 1_000_000  # so much is not waited for any longer, where there is patience
_EMBEDDED_CLUSTER: Final = "tansu_cluster"
# A lost broker looks like silence to a reader, so after this much silence it asks.
_SILENCE_S: Final = 0.5
_ALREADY_EXISTS: Final = 36
_TIMED_OUT: Final = (KafkaTimeoutError, RequestTimedOutError, TimeoutError)
_UNREACHABLE: Final = (KafkaConnectionError, NodeNotReadyError, *_TIMED_OUT, OSError)
_SLOW_S: Final = 1.0
_KNOWN_LOOK_S: Final = 0.02
_FETCH_LOOK_S: Final = 0.005
_FETCH_LOOKS: Final = 100
# The first question after connecting is asked before the client knows whom to ask, and again after this.
_RETRY_MS: Final = 20


class KafkaBus:
    """A connection to Kafka at `bootstrap` ("host:port", several parted by commas). Connects when first used.

    `idempotent` keeps the client's own retries from writing a batch twice; the embedded broker cannot do it. `replication`
    is that of topics created here. `security` goes to the client as it is: security_protocol, sasl_mechanism,
    sasl_plain_username, sasl_plain_password, ssl_context.

    `linger_s` can be short, because what is published while a batch is on its way becomes the next one: against 5 ms, 1 ms
    makes a record 4 ms younger on arrival at 100 a second, and costs a fiftieth of a core at 5000 a second. `metadata_age_s`: so
    often it asks anew which partitions there are.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        idempotent: bool = False,
        replication: int = 1,
        linger_s: float = 0.001,
        request_timeout_s: float = 10.0,
        metadata_age_s: float = 60.0,
        clock: Clock | None = None,
        **security: Any,
    ) -> None:
        self.bootstrap = bootstrap
        self._idempotent = idempotent
        self._replication = replication
        self._linger_s = linger_s
        self._request_timeout_s = request_timeout_s
        self._broker = _Broker(bootstrap, request_timeout_s, security)
        self._clock = clock or SystemClock()
        self._common = {
            "bootstrap_servers": bootstrap.split(","),
            "client_id": "floorwatch",
            "request_timeout_ms": int(request_timeout_s * 1000),
            "metadata_max_age_ms": int(metadata_age_s * 1000),
            **security,
        }
        self._sender: Sender | None = None
        self._connecting = asyncio.Lock()
        self._endings: set[asyncio.Task[None]] = set()

    @classmethod
    def of(cls, settings: CommonSettings, **how: Any) -> KafkaBus:
        """As the settings say. Raises SettingsError for what is wrong in how brokers are spoken to."""
        return cls(settings.kafka_bootstrap, idempotent=settings.kafka_idempotent, **security_of(settings), **how)

    async def create(self, topics: Iterable[Topic], *, partitions: int = 1) -> None:
        wanted = [
            NewTopic(topic.name, partitions, self._replication, topic_configs=config_of(topic)) for topic in topics
        ]
        async with self._admin() as admin:
            existing = set(await self._broker.ask(admin.list_topics(), "listing topics"))
            missing = [topic for topic in wanted if topic.name not in existing]
            if not missing:
                return  # so that a client without the right to create topics can run where they exist
            answer = await self._broker.ask(admin.create_topics(missing), "creating topics")
            for name, code, *message in answer.topic_errors:
                if code not in (0, _ALREADY_EXISTS):
                    why = next((text for text in message if text), for_code(code).__name__)
                    raise BusError(f"Kafka at {self.bootstrap} did not create topic {name}: {why}")
            await self._until_known(admin, {topic.name for topic in missing})

    async def _until_known(self, admin: AIOKafkaAdminClient, names: set[str]) -> None:
        """A broker says that a topic is made when its controller has noted it, and knows it itself a moment later."""
        give_up = self._clock.monotonic() + self._request_timeout_s
        while unknown := names - set(await self._described(admin)):
            if self._clock.monotonic() > give_up:
                raise BusError(
                    f"Kafka at {self.bootstrap} created {', '.join(sorted(unknown))}, and does not know it yet"
                )
            await asyncio.sleep(_KNOWN_LOOK_S)

    async def _described(self, admin: AIOKafkaAdminClient) -> dict[str, Any]:
        """What there is, by name."""
        # asked for by its name, a topic that does not exist would be made, with as many partitions as the broker likes
        described = await self._broker.ask(admin.describe_topics(), "looking up topics")
        return {topic["topic"]: topic for topic in described if not topic["error_code"] and topic["partitions"]}

    async def publish(self, topic: Topic, value: bytes, *, key: str, headers: Headers = ()) -> None:
        raw_key = key.encode()
        size = check_size(topic, raw_key, value, headers)
        sender = self._sender or await self._connect()
        try:
            place = sender.places.get((topic.name, raw_key)) or await sender.place(topic.name, raw_key)
            sender.append(place, raw_key, value, headers, size, topic.linger_s)
            if sender.is_full():
                await sender.room()
        except KafkaError as exc:
            raise await self._broker.error(exc, f"publishing to {topic.name}") from exc
        finally:
            if sender.failure is not None:
                await self._part(sender, sender.failure)

    async def flush(self) -> None:
        sender = self._sender
        if sender is not None:
            await sender.flush()
            if sender.failure is not None:
                await self._part(sender, sender.failure)

    def unsent_s(self) -> float:
        return self._sender.unsent_s() if self._sender is not None else 0.0

    def forget_unsent(self) -> None:
        if self._sender is not None:
            self._let_go(self._sender)

    async def read(
        self,
        topics: Iterable[Topic],
        *,
        start: Literal["earliest", "latest"] = "earliest",
        partitions: Iterable[int] | None = None,
        patience_s: float = 0.0,
    ) -> KafkaReader:
        places = await self._places([topic.name for topic in topics], None if partitions is None else set(partitions))
        consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=max(_FETCH_WAIT_MS, int(patience_s * 1000)),
            fetch_min_bytes=_PATIENT_BYTES if patience_s else 1,
            retry_backoff_ms=_RETRY_MS,
            max_partition_fetch_bytes=2 * MAX_MESSAGE_BYTES,
            **self._common,
        )
        embedded = await self._is_embedded()
        whole = partitions is None
        reader = KafkaReader(self._broker, consumer, self._clock, places, whole, embedded, patience_s)
        try:
            await self._broker.ask(consumer.start(), "connecting")
            await reader.begin(start)
        except BaseException:
            await reader.close()
            raise
        return reader

    async def _is_embedded(self) -> bool:
        async with self._admin() as admin:
            cluster = await self._broker.ask(admin.describe_cluster(), "asking who it is")
        return bool(cluster.get("cluster_id") == _EMBEDDED_CLUSTER)

    async def close(self) -> None:
        sender = self._sender
        try:
            await self.flush()
        finally:
            self._sender = None
            if sender is not None:
                await sender.stop()
            if self._endings:
                await asyncio.wait(self._endings)

    async def _connect(self) -> Sender:
        async with self._connecting:
            if self._sender is None:
                producer = AIOKafkaProducer(
                    acks="all",
                    enable_idempotence=self._idempotent,
                    max_batch_size=_BATCH_BYTES,
                    max_request_size=MAX_MESSAGE_BYTES,
                    **self._common,
                )
                sender = Sender(producer, DefaultPartitioner(), self._linger_s, _BUFFER_BYTES, self._request_timeout_s)
                try:
                    await self._broker.ask(producer.start(), "connecting")
                except BaseException:
                    await sender.stop()
                    raise
                self._sender = sender
            return self._sender

    async def _part(self, sender: Sender, failure: BaseException) -> None:
        """Raises BusError for the `failure` of `sender`, and parts with it: the next one starts clean."""
        if self._sender is sender:
            self._let_go(sender)
        raise await self._broker.error(failure, f"sending to {sender.failed_at}") from failure

    def _let_go(self, sender: Sender) -> None:
        self._sender = None
        ending = asyncio.create_task(sender.stop())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _places(self, names: list[str], wanted: set[int] | None) -> list[TopicPartition]:
        async with self._admin() as admin:
            found = await self._described(admin)
        places: list[TopicPartition] = []
        for name in names:
            numbers = {partition["partition"] for partition in found[name]["partitions"]} if name in found else set()
            if not numbers:
                hidden = ", or this user may not see it" if self._broker.guarded else ""
                raise BusError(f"topic {name} does not exist on Kafka at {self.bootstrap}{hidden}; create it first")
            if wanted is not None and not wanted <= numbers:
                raise BusError(f"topic {name} has no partition {sorted(wanted - numbers)}, it has {len(numbers)}")
            places += [TopicPartition(name, number) for number in sorted(numbers if wanted is None else wanted)]
        return places

    @contextlib.asynccontextmanager
    async def _admin(self) -> Any:
        admin = AIOKafkaAdminClient(**self._common)
        try:
            await self._broker.ask(admin.start(), "connecting")
            yield admin
        finally:
            await admin.close()


class _Broker:
    """Asks the broker, and puts its failures into words. `security` as the client has it."""

    def __init__(self, bootstrap: str, timeout_s: float, security: Mapping[str, Any]) -> None:
        self.bootstrap = bootstrap
        self._timeout_s = timeout_s
        self._security = security
        self.guarded = bool(security)

    async def ask(self, answer: Awaitable[T], doing: str) -> T:
        """`answer`. Raises BusError when it fails or does not come in time; soon, if the broker takes no connection.

        The client itself keeps trying until its time is up, and a broker that is merely slow deserves that.
        """
        asked = asyncio.ensure_future(answer)
        try:
            await asyncio.wait((asked,), timeout=_SLOW_S)
            if not asked.done() and await self._refusal() is None:
                await asyncio.wait((asked,), timeout=self._timeout_s - _SLOW_S)
            if asked.done():
                return asked.result()
            raise TimeoutError
        except (KafkaError, OSError, TimeoutError) as exc:
            raise await self.error(exc, doing) from exc
        finally:
            asked.cancel()

    async def error(self, exc: BaseException, doing: str) -> BusError:
        if isinstance(exc, _UNREACHABLE):
            why = await self._refusal() or (None if self._security else await why_of_no_use(self.bootstrap))
            why = why or ("no answer in time" if isinstance(exc, _TIMED_OUT) else "the connection broke")
            return BusError(f"cannot reach Kafka at {self.bootstrap}: {why} ({doing})")
        if refused := why_refused(exc, doing, MAX_MESSAGE_BYTES):
            return BusError(f"Kafka at {self.bootstrap} {refused}")
        return BusError(f"Kafka at {self.bootstrap} failed: {type(exc).__name__}: {exc} ({doing})")

    async def _refusal(self) -> str | None:
        """Why no connection can be opened; None if one can. The client itself only says that it gave up."""
        why = None
        for host, port in addresses_of(self.bootstrap):
            try:
                async with asyncio.timeout(3.0 if self._security else 1.0):
                    await self._try(host, port)
            except TimeoutError:
                why = "no answer"
            except ssl.SSLError as exc:
                why = why_not(exc)
            except OSError as exc:
                why = os.strerror(exc.errno).lower() if exc.errno and exc.errno > 0 else str(exc)
            except KafkaError as exc:
                why = why_no_entry(exc)
            else:
                return None
        return why

    async def _try(self, host: str, port: int) -> None:
        """Connect, as far as the client itself would where that can fail for more reasons than the way there."""
        if self._security:
            connection = await create_conn(host, port, client_id="floorwatch", **self._security)
            connection.close()
        else:
            _, writer = await asyncio.open_connection(host, port)
            writer.close()


def _plain(place: TopicPartition) -> Partition:
    return (place.topic, place.partition)


class KafkaReader:
    """`whole`: `places` are all there are. `ease`: the broker is the embedded one, whose fetches cost more the more it holds."""

    def __init__(
        self,
        broker: _Broker,
        consumer: AIOKafkaConsumer,
        clock: Clock,
        places: list[TopicPartition],
        whole: bool,
        ease: bool,
        patience_s: float,
    ) -> None:
        self._broker = broker
        self._ask = broker.ask
        self._consumer = consumer
        self._clock = clock
        self._places = places
        self._whole = whole
        self._next: dict[Partition, int] = {}
        self._heard = clock.monotonic()
        self._records = Records()
        self._hearing = hearing_of(consumer, places, self._heard, certain=not ease)
        self.eases = ease
        self._easing = Easing(self._heard) if ease else None
        self._fetch_wait_ms = max(_FETCH_WAIT_MS, int(patience_s * 1000))

    async def begin(self, start: Literal["earliest", "latest"]) -> None:
        first = await self._ask(self._consumer.beginning_offsets(self._places), "looking up offsets")
        self._consumer.assign(self._places)
        self._seek({_plain(place): offset for place, offset in first.items()})
        if start == "latest" or self._easing:
            ends = {_plain(place): end for place, end in (await self._ends()).items()}
            self._eased(max(ends.values(), default=0))
            if start == "latest":
                self._seek(ends)

    async def getmany(self, *, timeout_s: float, max_records: int = 2000) -> list[Record]:
        self._hearing.applied()
        if self._hearing.doubted:
            await self._settle()
        if self._easing:
            await self._clock.sleep(self._easing.pause_s(self._clock.monotonic()))
        try:
            found = await self._consumer.getmany(
                timeout_ms=max(0, math.ceil(timeout_s * 1000)), max_records=max_records
            )
        except OffsetOutOfRangeError as exc:
            raise await self._out_of_range() from exc
        except KafkaError as exc:
            raise await self._broker.error(exc, "reading") from exc
        if found:
            self._heard = self._clock.monotonic()
            self._hearing.handed_out(self._heard)
            records = [record for batch in found.values() for record in self._records.of(batch)]
            self._eased(max(record.offset for record in records) + 1)
            return records
        if self._clock.monotonic() - self._heard > _SILENCE_S:
            await self.lag()
        return []

    def _eased(self, held: int) -> None:
        """The longest partition holds `held` records at least: let the embedded broker take the time that this costs it."""
        if self._easing is None:
            return
        self._easing.holds(held, self._clock.monotonic())
        fetcher = self._consumer._fetcher
        if fetcher is not None:  # the client has no word for changing it
            fetcher._fetch_max_wait_ms = self._fetch_wait_ms + int(self._easing.look_ms)

    async def bounds(self) -> Mapping[Partition, tuple[int, int]]:
        first = await self._ask(self._consumer.beginning_offsets(self._places), "looking up offsets")
        end = await self._ends()
        return {_plain(place): (offset, end[place]) for place, offset in first.items()}

    async def seek(self, offsets: Mapping[Partition, int]) -> None:
        check_assigned(offsets, self._next)
        self._seek(offsets)

    async def lag(self) -> Mapping[Partition, int]:
        self._look_for_more()
        ends = await self._ends()
        left = {}
        for place, end in ends.items():
            offset = await self._ask(self._consumer.position(place), "looking up the position")
            if offset > end:
                # The embedded broker answers such a fetch with nothing, for ever.
                raise OffsetLost(beyond_end(_plain(place), offset, end))
            left[_plain(place)] = end - offset
        return left

    def _look_for_more(self) -> None:
        for topic in {place.topic for place in self._places} if self._whole else ():
            known = self._consumer.partitions_for_topic(topic) or set()
            if more := known - {place.partition for place in self._places if place.topic == topic}:
                raise BusError(f"topic {topic} has {len(more)} partitions more than when reading began; read it anew")

    def overdue_s(self) -> float:
        # the time that the embedded broker is given is none of which anything is known
        return self._hearing.overdue_s(self._clock.monotonic(), self._fetch_wait_ms / 1000)

    async def close(self) -> None:
        # The client cancels its own requests and, while one of them waits to be repeated, takes that for a cancellation of
        # its stopping; the connection must be closed all the same.
        for ending in (self._consumer.stop, self._consumer._client.close):
            await asyncio.gather(asyncio.ensure_future(ending()), return_exceptions=True)

    async def _settle(self) -> None:
        asked = self._clock.monotonic()
        ends = await self._ask(self._consumer.end_offsets(self._places), "looking up offsets")
        self._hearing.settled(
            [place for place, end in ends.items() if await self._consumer.position(place) >= end], asked
        )

    def _seek(self, offsets: Mapping[Partition, int]) -> None:
        for (topic, number), offset in offsets.items():
            self._consumer.seek(TopicPartition(topic, number), offset)
            self._next[topic, number] = offset

    async def _ends(self) -> dict[TopicPartition, int]:
        """The offset after the last record, by partition.

        Asked for it, the embedded broker names the offset after the *first* record of the last batch. What it says beside
        each fetch is right, but may be older than the answer; so the larger of the two. Apache Kafka's answer is right, and its
        fetches need not be waited for.
        """
        listed = await self._ask(self._consumer.end_offsets(self._places), "looking up offsets")
        fetched = await self._fetched_ends() if self._easing else {}
        self._heard = self._clock.monotonic()
        return {place: max(end, fetched.get(place, 0)) for place, end in listed.items()}

    async def _fetched_ends(self) -> dict[TopicPartition, int]:
        """What the fetches since the last `seek` said; the client makes them by itself, and tells nobody when it has."""
        ends: dict[TopicPartition, int] = {}
        for _ in range(_FETCH_LOOKS):
            ends = {place: end for place in self._places if (end := self._consumer.highwater(place)) is not None}
            if len(ends) == len(self._places):
                break
            await asyncio.sleep(_FETCH_LOOK_S)
        return ends

    async def _out_of_range(self) -> BusError:
        first = await self._ask(self._consumer.beginning_offsets(self._places), "looking up offsets")
        ends = await self._ask(self._consumer.end_offsets(self._places), "looking up offsets")
        for place, end in ends.items():
            offset = await self._consumer.position(place)
            if offset > end:
                return OffsetLost(beyond_end(_plain(place), offset, end))
            if offset < first[place]:
                return OffsetLost(
                    f"{place.topic}[{place.partition}]: offset {offset} is no longer kept, the first is {first[place]}"
                )
        return OffsetLost("an offset was out of range, and no longer is: read again")
