#!/usr/bin/env python3
"""Right and wrong requests, and what an AMQP broker answers to each.

  amqp_answers.py URL             prints one line for each request: its name, and the answer
  amqp_answers.py URL OTHER_URL   asks both brokers, and prints where they differ
  amqp_answers.py --tern TERN URL  the same, with `TERN broker --amqp 0` as the first of them

The client is pika. A reply code and the first words of its text make up an answer; queue names that the
broker has made up, ports and connection names do not count. Where two differ they are asked twice more:
what takes its time on a busy machine is no difference. The last line says how many answers were the same
(passed) and how many were not (failed); the exit code is 0 if all were.
"""
import os
import re
import socket
import struct
import subprocess
import sys
import time

import pika
from pika import BasicProperties, frame, spec
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionClosedByBroker

Q, E = "answers-q", "answers-e"


class Asker:
    """A connection, made again when an answer was its end."""

    def __init__(self, url):
        self.parameters = pika.URLParameters(url)
        self.parameters.socket_timeout = 10
        self.connection = None

    def channel(self):
        if self.connection is None or not self.connection.is_open:
            self.connection = pika.BlockingConnection(self.parameters)
        return self.connection.channel()

    def clean(self):
        for name in (Q, Q + "2", E, E + "2"):
            self.channel().queue_delete(name)
            self.channel().exchange_delete(name)


def says(error):
    text = re.sub(r"amq\.gen-[\w-]+|amq\.ctag-[\w.-]+", "NAME", str(error.reply_text))
    return "%d %s" % (error.reply_code, text.split(" - ")[0].split("(")[0].strip())


def answer(asker, request):
    try:
        out = request(asker.channel())
    except ChannelClosedByBroker as error:
        return "channel " + says(error)
    except ConnectionClosedByBroker as error:
        return "connection " + says(error)
    except AMQPError as error:
        return type(error).__name__
    return "ok" if out is None else str(out)


def has(count):
    return lambda frame: frame.method.message_count == count


def declare(**arguments):
    def run(channel):
        channel.queue_declare(Q, arguments={k.replace("_", "-"): v for k, v in arguments.items()})
    return run


def declared_twice(first, second):
    def run(channel):
        channel.queue_declare(Q, **first)
        channel.queue_declare(Q, **second)
    return run


def exchange_twice(first, second):
    def run(channel):
        channel.exchange_declare(E, **first)
        channel.exchange_declare(E, **second)
    return run


def drain(channel, queue=Q, wait=0.0):
    out, end = [], time.monotonic() + wait
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            if time.monotonic() >= end:
                return out
            time.sleep(0.02)
            continue
        out.append((body.decode(), method.redelivered, properties))


def bodies(channel, queue=Q, wait=0.0):
    return [body for body, _, _ in drain(channel, queue, wait)]


def put(channel, *texts, key=Q, exchange="", **properties):
    for text in texts:
        channel.basic_publish(exchange, key, text.encode(), BasicProperties(**properties))


def routed(kind, bindings, messages):
    """Which of the messages (key, headers) reach a queue with these bindings (key, arguments)."""
    def run(channel):
        channel.exchange_declare(E, kind)
        channel.queue_declare(Q)
        for key, arguments in bindings:
            channel.queue_bind(Q, E, key, arguments)
        for number, (key, headers) in enumerate(messages):
            put(channel, str(number), key=key, exchange=E, headers=headers)
        return bodies(channel)
    return run


def overflow(arguments, count=3):
    def run(channel):
        channel.confirm_delivery()
        channel.queue_declare(Q, arguments=arguments)
        outcome = []
        for number in range(count):
            try:
                put(channel, str(number))
                outcome.append("ack")
            except pika.exceptions.NackError:
                outcome.append("nack")
        return outcome, bodies(channel)
    return run


def dead_letters(arguments, kill):
    """What x-death says of a message that `kill` has put an end to."""
    def run(channel):
        channel.queue_declare(Q + "2")
        channel.queue_declare(Q, arguments={"x-dead-letter-exchange": "",
                                            "x-dead-letter-routing-key": Q + "2", **arguments})
        kill(channel)
        out = []
        for body, redelivered, properties in drain(channel, Q + "2", wait=0.3):
            headers = properties.headers
            death = {k: v for k, v in headers["x-death"][0].items() if k != "time"}
            first = [headers.get("x-first-death-" + k) for k in ("reason", "queue", "exchange")]
            out.append((body, redelivered, sorted(death.items()), first, properties.expiration))
        return out
    return run


def reject(channel):
    put(channel, "m", headers={"mine": 1})
    method, _, _ = channel.basic_get(Q)
    channel.basic_reject(method.delivery_tag, requeue=False)


def ack_twice(channel):
    channel.queue_declare(Q)
    put(channel, "m")
    method, _, _ = channel.basic_get(Q)
    channel.basic_ack(method.delivery_tag)
    channel.basic_ack(method.delivery_tag)
    channel.queue_declare(Q, passive=True)


def requeue(channel):
    channel.queue_declare(Q)
    put(channel, "a", "b", "c")
    tags = [channel.basic_get(Q)[0].delivery_tag for _ in range(3)]
    channel.basic_nack(tags[1], multiple=True, requeue=True)
    return [(body, again) for body, again, _ in drain(channel)]


def lost_by_close(asker_channel):
    asker_channel.queue_declare(Q)
    put(asker_channel, "a")
    other = asker_channel.connection.channel()
    other.basic_get(Q)
    other.close()
    return [(body, again) for body, again, _ in drain(asker_channel, wait=0.3)]


def exclusive_elsewhere(channel):
    channel.queue_declare(Q, exclusive=True)
    parameters = channel.connection._impl.params
    other = pika.BlockingConnection(parameters)
    try:
        other.channel().queue_declare(Q, exclusive=True)
    finally:
        other.close()


def consume_twice(first, second):
    def run(channel):
        channel.queue_declare(Q)
        channel.basic_consume(Q, lambda *_: None, **first)
        channel.basic_consume(Q, lambda *_: None, **second)
    return run


def cancelled_by_delete(channel):
    channel.queue_declare(Q)
    gone = []
    channel.add_on_cancel_callback(gone.append)
    channel.basic_consume(Q, lambda *_: None, consumer_tag="mine")
    channel.connection.channel().queue_delete(Q)
    channel.connection.process_data_events(time_limit=0.5)
    return [frame.method.consumer_tag for frame in gone]


def prefetch(count, is_global):
    def run(channel):
        channel.queue_declare(Q)
        channel.queue_declare(Q + "2")
        got = []
        channel.basic_qos(prefetch_count=count, global_qos=is_global)
        for queue in (Q, Q + "2"):
            channel.basic_consume(queue, lambda _c, m, _p, body: got.append(body.decode()))
        other = channel.connection.channel()
        put(other, "a", "b")
        put(other, "c", "d", key=Q + "2")
        for _ in range(5):
            channel.connection.process_data_events(time_limit=0.1)
        return len(got)
    return run


def transaction(channel):
    channel.queue_declare(Q)
    channel.tx_select()
    put(channel, "a")
    channel.tx_rollback()
    put(channel, "b")
    before = channel.queue_declare(Q, passive=True).method.message_count
    channel.tx_commit()
    return before, channel.queue_declare(Q, passive=True).method.message_count


def direct_reply(channel):
    channel.queue_declare(Q)
    got = []
    channel.basic_consume("amq.rabbitmq.reply-to", lambda _c, _m, _p, body: got.append(body),
                          auto_ack=True)
    put(channel, "question", reply_to="amq.rabbitmq.reply-to")
    other = channel.connection.channel()
    _, properties, _ = other.basic_get(Q, auto_ack=True)
    other.basic_publish("", properties.reply_to, b"answer")
    channel.connection.process_data_events(time_limit=0.3)
    return properties.reply_to.startswith("amq.rabbitmq.reply-to."), got


def returned(channel):
    channel.confirm_delivery()
    try:
        channel.basic_publish("", "answers-none", b"m", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        return [(m.method.reply_code, m.method.reply_text) for m in error.messages]
    return "taken"


def auto_delete(channel):
    channel.queue_declare(Q, auto_delete=True)
    tag = channel.basic_consume(Q, lambda *_: None)
    channel.basic_cancel(tag)
    channel.queue_declare(Q, passive=True)


def auto_delete_exchange(channel):
    channel.exchange_declare(E, auto_delete=True)
    channel.queue_declare(Q)
    channel.queue_bind(Q, E, "k")
    channel.queue_unbind(Q, E, "k")
    channel.exchange_declare(E, passive=True)


def expires(channel):
    channel.queue_declare(Q, arguments={"x-expires": 100})
    time.sleep(0.4)
    channel.queue_declare(Q, passive=True)


def alternate(channel):
    channel.exchange_declare(E, arguments={"alternate-exchange": E + "2"})
    channel.exchange_declare(E + "2", "fanout")
    channel.queue_declare(Q)
    channel.queue_bind(Q, E + "2")
    put(channel, "rest", exchange=E, key="nobody")
    return bodies(channel)


def between_exchanges(channel):
    channel.exchange_declare(E, "topic")
    channel.exchange_declare(E + "2", "fanout")
    channel.exchange_bind(E + "2", E, "a.#")
    channel.queue_declare(Q)
    channel.queue_bind(Q, E + "2")
    put(channel, "in", exchange=E, key="a.b")
    put(channel, "out", exchange=E, key="b")
    channel.exchange_unbind(E + "2", E, "a.#")
    put(channel, "late", exchange=E, key="a.b")
    return bodies(channel)


def priorities(channel):
    channel.queue_declare(Q, arguments={"x-max-priority": 5})
    for number, priority in enumerate([None, 5, 9, 2, 0]):
        put(channel, str(number), priority=priority)
    return bodies(channel)


def ttl(queue_ttl, *expirations):
    def run(channel):
        channel.queue_declare(Q, arguments={"x-message-ttl": queue_ttl} if queue_ttl else {})
        for number, expiration in enumerate(expirations):
            put(channel, str(number), expiration=expiration)
        time.sleep(0.3)
        return bodies(channel)
    return run


def with_queue(run):
    def both(channel):
        channel.queue_declare(Q)
        return run(channel)
    return both


def with_messages(run):
    def both(channel):
        channel.queue_declare(Q)
        put(channel, "a", "b")
        return run(channel)
    return both


def delete_in_use(channel):
    channel.basic_consume(Q, lambda *_: None)
    channel.queue_delete(Q, if_unused=True)


def exchange_in_use(channel):
    channel.exchange_declare(E)
    channel.queue_bind(Q, E, "k")
    channel.exchange_delete(E, if_unused=True)


def publish_then_ask(channel, *arguments, **properties):
    channel.basic_publish(*arguments, BasicProperties(**properties))
    channel.queue_declare(Q)


def made_up(channel):
    name = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_declare(name, passive=True)
    channel.queue_declare(name, exclusive=True)


def last_declared(channel):
    channel.queue_declare(Q)
    channel.queue_bind("", "amq.direct", "")
    put(channel, "in", exchange="amq.direct", key=Q)
    channel.queue_unbind("", "amq.direct", "")
    put(channel, "out", exchange="amq.direct", key=Q)
    return bodies(channel, "")


def bind_exchanges(destination, source, arguments=None, run="exchange_bind"):
    def both(channel):
        channel.exchange_declare(E, "headers")
        getattr(channel, run)(destination, source, "k", arguments)
    return both


def got(count, *settle):
    """Gets so many, settles them as told, and asks what is left when the channel has ended."""
    def run(channel):
        channel.queue_declare(Q)
        put(channel, "a", "b", "c")
        for _ in range(count):
            channel.basic_get(Q)
        for act in settle:
            act(channel)
        channel.queue_declare(Q, passive=True)
        channel.close()
        return [(body, again) for body, again, _ in drain(channel.connection.channel(), wait=0.1)]
    return run


def ack(tag, multiple=False):
    return lambda channel: channel.basic_ack(tag, multiple)


def send(method):
    """One that pika would not send by itself, with no answer waited for."""
    return lambda channel: channel._impl._send_method(method)


def made_again(channel):
    channel.queue_declare(Q)
    put(channel, "old")
    channel.basic_get(Q)
    channel.queue_delete(Q)
    channel.queue_declare(Q)
    channel.basic_nack(1, requeue=True)
    return bodies(channel, wait=0.1)


def prefetch_changed(channel):
    channel.queue_declare(Q)
    channel.basic_qos(prefetch_count=1, global_qos=True)
    channel.basic_qos(prefetch_count=3)
    seen = []
    channel.basic_consume(Q, lambda _c, _m, _p, body: seen.append(body.decode()))
    put(channel.connection.channel(), "a", "b", "c", "d")
    for _ in range(5):
        channel.connection.process_data_events(time_limit=0.1)
    return seen


class Wire:
    """A connection by hand, for what no client does."""

    def __init__(self, parameters):
        self.socket = socket.create_connection((parameters.host, parameters.port), timeout=5)
        self.data = b""
        self.socket.sendall(b"AMQP\x00\x00\x09\x01")
        self.read()
        known = {"authentication_failure_close": True, "consumer_cancel_notify": True}
        self.send(0, spec.Connection.StartOk({"capabilities": known}, "PLAIN", "\0guest\0guest"))
        tune = self.read().method
        self.send(0, spec.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
        self.send(0, spec.Connection.Open("/"))
        self.read()
        self.send(1, spec.Channel.Open())
        self.read()

    def send(self, channel, method):
        self.socket.sendall(frame.Method(channel, method).marshal())

    def frame(self, kind, channel, payload, end=b"\xce"):
        self.socket.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + end)

    def more(self, size):
        try:
            return self.socket.recv(size)
        except ConnectionResetError:
            return b""

    def read(self):
        while True:
            size, got = frame.decode_frame(self.data)
            if got is None:
                more = self.more(65536)
                if not more:
                    return None
                self.data += more
                continue
            self.data = self.data[size:]
            return got

    def answer(self):
        """The next method: its name, with the code if it closes something."""
        try:
            got = self.read()
        except TimeoutError:
            return "nothing"
        if got is None:
            return "end"
        code = " %d" % got.method.reply_code if got.method.NAME.endswith("Close") else ""
        return got.method.NAME + code

    def still_open(self):
        self.socket.settimeout(0.3)
        try:
            return self.more(1) != b""
        except TimeoutError:
            return True


def wire(*acts):
    """What is answered to acts, and whether the socket stays open with no more said."""
    def run(any_channel):
        by_hand = Wire(any_channel.connection._impl.params)
        try:
            for act in acts:
                act(by_hand)
            return by_hand.answer(), by_hand.still_open()
        except BrokenPipeError:
            return "end", False
        finally:
            by_hand.socket.close()
    return run


def method(number, what):
    return lambda by_hand: by_hand.send(number, what)


def raw(*words):
    return lambda by_hand: by_hand.frame(*words)


def header(size, class_id=60):
    return struct.pack(">HHQH", class_id, 0, size, 0)


CLOSE = spec.Connection.Close(200, "", 0, 0)
PUBLISH = spec.Basic.Publish(exchange="", routing_key="answers-none")
NOT_OK = spec.Basic.QosOk()

ANY = {"x-match": "any", "a": 1, "b": "x"}
ALL = {"x-match": "all", "a": 1, "b": "x"}
TOPICS = [("a", {}), ("a.b", {}), ("a.b.c", {}), ("", {}), ("b", {}), ("a.", {}), (".b", {})]
HEADERS = [("", {}), ("", {"a": 1}), ("", {"a": 1, "b": "x"}), ("", {"a": 2, "b": "x"}),
           ("", {"a": 1, "b": "x", "c": 1})]

REQUESTS = {
    "declare": declare(),
    "declare, and again": declared_twice({}, {}),
    "declare durable, and not": declared_twice({"durable": True}, {}),
    "declare auto-delete, and not": declared_twice({"auto_delete": True}, {}),
    "declare exclusive, and not": declared_twice({"exclusive": True}, {}),
    "declare with other arguments": declared_twice({"arguments": {"x-max-length": 1}},
                                                   {"arguments": {"x-max-length": 2}}),
    "declare with fewer arguments": declared_twice({"arguments": {"x-max-length": 1}}, {}),
    "declare with unknown arguments": declared_twice({}, {"arguments": {"x-nothing": 1}}),
    "declare passively, missing": lambda c: c.queue_declare(Q, passive=True),
    "declare a reserved name": lambda c: c.queue_declare("amq.mine"),
    "declare elsewhere, exclusive": exclusive_elsewhere,
    "max-length negative": declare(x_max_length=-1),
    "max-length as text": declare(x_max_length="5"),
    "message-ttl negative": declare(x_message_ttl=-1),
    "message-ttl as text": declare(x_message_ttl="5"),
    "expires 0": declare(x_expires=0),
    "max-priority 256": declare(x_max_priority=256),
    "max-priority 0": declare(x_max_priority=0),
    "overflow unknown": declare(x_overflow="explode"),
    "dead letter key alone": declare(x_dead_letter_routing_key="k"),
    "dead letter exchange as number": declare(x_dead_letter_exchange=1),
    "single active consumer as number": declare(x_single_active_consumer=1),
    "exchange": exchange_twice({}, {}),
    "exchange of another type": exchange_twice({}, {"exchange_type": "fanout"}),
    "exchange durable, and not": exchange_twice({"durable": True}, {}),
    "exchange internal, and not": exchange_twice({"internal": True}, {}),
    "exchange of an unknown type": lambda c: c.exchange_declare(E, "nothing"),
    "exchange passively, missing": lambda c: c.exchange_declare(E, passive=True),
    "exchange with a reserved name": lambda c: c.exchange_declare("amq.mine"),
    "exchange amq.direct as it is": lambda c: c.exchange_declare("amq.direct", durable=True),
    "delete amq.direct": lambda c: c.exchange_delete("amq.direct"),
    "delete the default exchange": lambda c: c.exchange_delete(""),
    "delete a missing exchange": lambda c: c.exchange_delete(E),
    "delete an exchange in use": with_queue(exchange_in_use),
    "delete a missing queue": lambda c: has(0)(c.queue_delete(Q)),
    "delete with messages": with_messages(lambda c: has(2)(c.queue_delete(Q))),
    "delete if empty": with_messages(lambda c: c.queue_delete(Q, if_empty=True)),
    "delete if unused": with_queue(delete_in_use),
    "purge": with_messages(lambda c: (has(2)(c.queue_purge(Q)), bodies(c))),
    "purge a missing queue": lambda c: c.queue_purge(Q),
    "bind a missing queue": lambda c: c.queue_bind(Q, "amq.direct", "k"),
    "bind to a missing exchange": with_queue(lambda c: c.queue_bind(Q, E, "k")),
    "bind to the default exchange": with_queue(lambda c: c.queue_bind(Q, "", "k")),
    "unbind a missing binding": with_queue(lambda c: c.queue_unbind(Q, "amq.direct", "k")),
    "unbind from a missing exchange": with_queue(lambda c: c.queue_unbind(Q, E, "k")),
    "unbind a missing queue": lambda c: c.queue_unbind(Q, "amq.direct", "k"),
    "unbind from the default exchange": with_queue(lambda c: c.queue_unbind(Q, "", Q)),
    "direct": routed("direct", [("a", {}), ("b", {})], TOPICS),
    "fanout": routed("fanout", [("a", {})], TOPICS),
    "topic a.*": routed("topic", [("a.*", {})], TOPICS),
    "topic a.#": routed("topic", [("a.#", {})], TOPICS),
    "topic #": routed("topic", [("#", {})], TOPICS),
    "topic *": routed("topic", [("*", {})], TOPICS),
    "topic #.b": routed("topic", [("#.b", {}), ("#.c", {})], TOPICS),
    "headers any": routed("headers", [("", ANY)], HEADERS),
    "headers all": routed("headers", [("", ALL)], HEADERS),
    "headers without x-match": routed("headers", [("", {"a": 1})], HEADERS),
    "headers without arguments": routed("headers", [("", {})], HEADERS),
    "headers with a null": routed("headers", [("", {"a": None})], HEADERS),
    "headers x-match nonsense": routed("headers", [("", {"x-match": "some"})], HEADERS),
    "alternate exchange": alternate,
    "exchange to exchange": between_exchanges,
    "overflow drop-head": overflow({"x-max-length": 2}),
    "overflow reject-publish": overflow({"x-max-length": 2, "x-overflow": "reject-publish"}),
    "overflow in bytes": overflow({"x-max-length-bytes": 2}),
    "overflow 0": overflow({"x-max-length": 0}),
    "ttl of the queue": ttl(50, None, None),
    "ttl of messages": ttl(None, "50", None, "50"),
    "ttl of both": ttl(50, "5000"),
    "ttl 0": ttl(None, "0"),
    "expiration as nonsense": with_queue(
        lambda c: publish_then_ask(c, "", Q, b"m", expiration="soon")),
    "dead letter rejected": dead_letters({}, reject),
    "dead letter expired": dead_letters({"x-message-ttl": 20}, lambda c: put(c, "m")),
    "dead letter with an expiration": dead_letters({}, lambda c: put(c, "m", expiration="20")),
    "dead letter by length": dead_letters({"x-max-length": 1}, lambda c: put(c, "a", "b")),
    "priorities": priorities,
    "expires": expires,
    "auto-delete": auto_delete,
    "auto-delete of an exchange": auto_delete_exchange,
    "ack twice": ack_twice,
    "ack an unknown tag": with_queue(lambda c: (c.basic_ack(7), c.queue_declare(Q))[0]),
    "nack back": requeue,
    "closed with something unacknowledged": lost_by_close,
    "get from a missing queue": lambda c: c.basic_get(Q),
    "consume from a missing queue": lambda c: c.basic_consume(Q, lambda *_: None),
    "consume exclusively, then anybody": consume_twice({"exclusive": True}, {}),
    "consume, then exclusively": consume_twice({}, {"exclusive": True}),
    "cancelled by a deletion": cancelled_by_delete,
    "prefetch of each": prefetch(1, False),
    "prefetch of all": prefetch(1, True),
    "prefetch in bytes": lambda c: c.basic_qos(prefetch_size=10),
    "publish to a missing exchange": lambda c: publish_then_ask(c, E, "k", b"m"),
    "publish with another user": with_queue(
        lambda c: publish_then_ask(c, "", Q, b"m", user_id="other")),
    "publish to an internal exchange": lambda c: (
        c.exchange_declare(E, internal=True), publish_then_ask(c, E, "k", b"m"))[0],
    "returned": returned,
    "transaction": transaction,
    "commit without tx": lambda c: c.tx_commit(),
    "tx, then confirms": lambda c: (c.tx_select(), c.confirm_delivery())[1],
    "confirms, then tx": lambda c: (c.confirm_delivery(), c.tx_select())[0],
    "direct reply": direct_reply,
    "direct reply with acks": lambda c: c.basic_consume("amq.rabbitmq.reply-to", lambda *_: None),
    "direct reply without a consumer": with_queue(
        lambda c: publish_then_ask(c, "", Q, b"m", reply_to="amq.rabbitmq.reply-to")),
    "declare '' passively": with_queue(lambda c: c.queue_declare("", passive=True)),
    "declare exclusive and durable, and not": declared_twice({"exclusive": True, "durable": True},
                                                             {"exclusive": True}),
    "declare a name that was made up": made_up,
    "declare direct replies": lambda c: c.queue_declare("amq.rabbitmq.reply-to").method.consumer_count,
    "declare direct replies to nobody": lambda c: c.queue_declare("amq.rabbitmq.reply-to.x"),
    "the queue declared last": last_declared,
    "delete no queue": lambda c: c.queue_delete(""),
    "purge no queue": lambda c: c.queue_purge(""),
    "bind no queue": lambda c: c.queue_bind("", "amq.direct", "k"),
    "unbind no queue": lambda c: c.queue_unbind("", "amq.direct", "k"),
    "get from no queue": lambda c: c.basic_get(""),
    "consume no queue": lambda c: c.basic_consume("", lambda *_: None),
    "exchange ''": lambda c: c.exchange_declare("", durable=True),
    "exchange '' passively": lambda c: c.exchange_declare("", passive=True),
    "exchange with a reserved name, passively": lambda c: c.exchange_declare("amq.no", passive=True),
    "exchange of an unknown type, that is there": exchange_twice({}, {"exchange_type": "nothing"}),
    "exchange with another alternate": exchange_twice({"arguments": {"alternate-exchange": "a"}}, {}),
    "exchange with the same alternate": exchange_twice({"arguments": {"alternate-exchange": "a"}},
                                                       {"arguments": {"alternate-exchange": "a"}}),
    "exchange with a number as alternate": lambda c: c.exchange_declare(
        E, arguments={"alternate-exchange": 1}),
    "exchange with unknown arguments": exchange_twice({}, {"arguments": {"x-nothing": 1}}),
    "exchange that traces": lambda c: c.exchange_declare("amq.rabbitmq.trace", "topic", durable=True,
                                                         internal=True),
    "bind exchanges": bind_exchanges("amq.fanout", E),
    "bind exchanges to the default one": bind_exchanges("", E),
    "bind exchanges from the default one": bind_exchanges(E, ""),
    "bind exchanges, one missing": bind_exchanges(E + "2", E),
    "bind exchanges, x-match nonsense": bind_exchanges("amq.fanout", E, {"x-match": "some"}),
    "unbind exchanges": bind_exchanges("amq.fanout", E, run="exchange_unbind"),
    "unbind exchanges, one missing": bind_exchanges(E + "2", E, run="exchange_unbind"),
    "unbind exchanges from the default one": bind_exchanges(E, "", run="exchange_unbind"),
    "ack one of three": got(3, ack(2)),
    "ack one, then up to it": got(3, ack(2), ack(2, True)),
    "ack up to an unknown one": got(3, ack(7, True)),
    "ack all": got(3, ack(0, True)),
    "ack all of nothing": got(0, ack(0, True)),
    "ack tag 0": got(1, ack(0)),
    "nack up to an acked one": got(3, ack(2), lambda c: c.basic_nack(2, multiple=True)),
    "ack twice in a transaction": got(1, lambda c: c.tx_select(), ack(1), ack(1)),
    "ack again after a rollback": got(
        2, lambda c: c.tx_select(), ack(1), lambda c: c.tx_rollback(), ack(1), lambda c: c.tx_commit()),
    "ack without a commit": got(2, lambda c: c.tx_select(), ack(2, True)),
    "reject in a transaction": got(2, lambda c: c.tx_select(), lambda c: c.basic_reject(1, False),
                                   lambda c: c.tx_commit()),
    "made again with something unacknowledged": made_again,
    "prefetch of all, then of each": prefetch_changed,
    "recover without an answer": got(2, send(spec.Basic.RecoverAsync(requeue=True))),
    "recover, no requeue": lambda c: c.basic_recover(requeue=False),
    "recover without an answer, no requeue": got(2, send(spec.Basic.RecoverAsync(requeue=False))),
    "delete with a consumer on the same channel": wire(
        method(1, spec.Queue.Declare(queue=Q)), Wire.read, method(1, spec.Basic.Consume(queue=Q)), Wire.read,
        method(1, spec.Queue.Delete(queue=Q))),
    "ask for a ticket": wire(method(1, spec.Access.Request())),
    "an answer as a request": wire(method(1, NOT_OK)),
    "connection.close": wire(method(0, CLOSE)),
    "connection.close twice": wire(method(0, CLOSE), Wire.read, method(0, CLOSE)),
    "connection.close, then more": wire(method(0, CLOSE), Wire.read, method(1, NOT_OK), method(0, CLOSE)),
    "connection.close-ok": wire(method(1, NOT_OK), Wire.read, method(0, spec.Connection.CloseOk())),
    "connection.close after an error": wire(method(1, NOT_OK), Wire.read, method(0, CLOSE)),
    "start-ok again": wire(method(0, spec.Connection.StartOk({}, "PLAIN", "\0guest\0guest"))),
    "open again": wire(method(0, spec.Connection.Open("/"))),
    "a channel twice": wire(method(1, spec.Channel.Open())),
    "a channel that is not open": wire(method(2, spec.Basic.Qos())),
    "a channel's method outside of channels": wire(method(0, spec.Basic.Qos())),
    "a connection's method in a channel": wire(method(1, CLOSE)),
    "flow off": wire(method(1, spec.Channel.Flow(False))),
    "flow on": wire(method(1, spec.Channel.Flow(True))),
    "closes of a channel that cross": wire(
        method(1, spec.Basic.Get(queue="answers-none")), Wire.answer,
        method(1, spec.Channel.Close(200, "", 0, 0)), Wire.answer,
        method(1, spec.Channel.CloseOk()), method(1, spec.Channel.Open())),
    "a heartbeat in a channel": wire(raw(8, 1, b"")),
    "a frame of an unknown type": wire(raw(7, 1, b"")),
    "a frame without its end": wire(raw(1, 1, b"\0\x3c\0\x0a\0\0\0\0\0\0\0", b"\0")),
    "a method that is cut": wire(raw(1, 1, b"\0\x3c\0\x0a\0")),
    "a header with no method": wire(raw(2, 1, header(1))),
    "a body with no header": wire(method(1, PUBLISH), raw(3, 1, b"m")),
    "a method in a message": wire(method(1, PUBLISH), method(1, spec.Basic.Qos())),
    "a header of another class": wire(method(1, PUBLISH), raw(2, 1, header(1, 50))),
    "a message that is whole": wire(method(1, PUBLISH), raw(2, 1, header(2)), raw(3, 1, b"m"),
                                    raw(3, 1, b"m"), method(1, spec.Basic.Qos())),
    "recover": with_messages(lambda c: (c.basic_get(Q), c.basic_recover(requeue=True),
                                        [again for _, again, _ in drain(c)])[2]),
}


def answers(url, names):
    asker = Asker(url)
    out = {}
    for name in names:
        asker.clean()
        out[name] = answer(asker, REQUESTS[name])
    asker.clean()
    asker.connection.close()
    return out


def compare(url, other_url):
    different = list(REQUESTS)
    for _ in range(3):
        here, there = answers(url, different), answers(other_url, different)
        different = [name for name in different if here[name] != there[name]]
        if not different:
            break
    for name in different:
        print("%s\n  %s\n  %s" % (name, here[name], there[name]))
    print("%d passed, %d failed, 0 skipped" % (len(REQUESTS) - len(different), len(different)))
    return 1 if different else 0


def main():
    if sys.argv[1] == "--tern":
        command = [os.path.abspath(sys.argv[2]), "broker", "--amqp", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
            try:
                at = broker.stdout.readline().split()[-1]
                return compare("amqp://guest:guest@" + at, sys.argv[3])
            finally:
                broker.terminate()
    if len(sys.argv) == 3:
        return compare(sys.argv[1], sys.argv[2])
    for name, text in answers(sys.argv[1], REQUESTS).items():
        print("%-40s %s" % (name, text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
