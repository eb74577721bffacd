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
import subprocess
import sys
import time

import pika
from pika import BasicProperties
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
