#!/usr/bin/env python3
"""AMQP clients that nobody here wrote, against the embedded broker on loopback sockets.

  amqp_peers.py TERN      starts `TERN broker --amqp 0`, runs all suites against it and ends it
  amqp_peers.py --at URL  runs against a broker that is up already, RabbitMQ for one

Suites: rabbitmq-c's tools (Debian's amqp-tools), pika, aio-pika with its robust connection, each of the
tools reading what `tern amqp` has written and the other way round, and the tests that aiormq, on which
aio-pika stands, has of its own. One that is not installed is
skipped, loudly; peers.py --install installs the Python ones. The last line says how many checks passed,
failed and were skipped; the exit code is 0 if none failed.
"""
import asyncio
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

from checks import check, finish, skip
from peers import AIORMQ, CACHE


def command(*words, text=""):
    done = subprocess.run(words, input=text.encode(), capture_output=True, timeout=20)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# ------------------------------------------------------------------------------------- rabbitmq-c


def suite_tools(url, tern):
    if not shutil.which("amqp-publish"):
        return skip("rabbitmq-c", "no amqp-publish here; Debian's amqp-tools has it")
    queue = "peers-tools"
    at = ["-u", url]
    status, out, err = command("amqp-declare-queue", *at, "-q", queue, "-d")
    check("amqp-declare-queue", status == 0 and out.strip() == queue, out + err)
    status, out, err = command("amqp-publish", *at, "-r", queue, "-b", "one", "-p",
                               "-C", "text/plain", "-H", "a: 1")
    check("amqp-publish", status == 0, err)
    status, out, err = command("amqp-publish", *at, "-r", queue, "-l", text="two\nthree\n")
    check("amqp-publish lines", status == 0, err)
    status, out, err = command("amqp-get", *at, "-q", queue)
    check("amqp-get", status == 0 and out == "one", out + err)
    status, out, err = command("amqp-consume", *at, "-q", queue, "-c", "2", "-p", "1", "cat")
    check("amqp-consume", status == 0 and out.split() == ["two", "three"], out + err)
    status, out, err = command("amqp-get", *at, "-q", queue)
    check("amqp-get from an empty queue", status == 2, out + err)
    status, out, err = command("amqp-publish", *at, "-e", "peers-none", "-r", "k", "-b", "m")
    status, out, err = command("amqp-get", *at, "-q", "peers-none")
    check("amqp-get from no queue", status == 1 and "404" in err, out + err)
    if tern:
        lines = "".join("%d\n" % n for n in range(1000))
        status, _, err = command(tern, "amqp", "publish", *at, "-q", queue, text=lines)
        check("tern amqp publish", status == 0, err)
        status, out, err = command("amqp-consume", *at, "-q", queue, "-c", "1", "-p", "1", "cat")
        check("amqp-consume what tern published", out == "0", out + err)
        command("amqp-publish", *at, "-r", queue, "-b", "last")
        status, out, err = command(tern, "amqp", "consume", *at, "-q", queue, "-c", "1000")
        check("tern amqp consume what amqp-publish sent", out == lines[2:] + "last\n", err)
    status, out, err = command("amqp-delete-queue", *at, "-q", queue)
    check("amqp-delete-queue", status == 0 and out.strip() == "0", out + err)


# ------------------------------------------------------------------------------------------- pika


def suite_pika(url):
    try:
        import pika
    except ImportError:
        return skip("pika", "not installed")
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    queue = "peers-pika"
    channel.queue_delete(queue)
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    sizes = [0, 1, 4088, 4089, 131064, 131065, 300000]
    for size in sizes:
        channel.basic_publish("", queue, b"x" * size, mandatory=True)
    got = [channel.basic_get(queue, auto_ack=True)[2] for _ in sizes]
    check("pika: bodies of every size", [len(body) for body in got] == sizes)
    headers = {"text": "t", "number": -7, "long": 1 << 40, "bool": True, "none": None,
               "list": [1, "a", {"x": 1}], "table": {"y": [False]}}
    properties = pika.BasicProperties(
        content_type="a/b", content_encoding="c", headers=headers, delivery_mode=2, priority=3,
        correlation_id="d", reply_to="e", expiration="60000", message_id="f", timestamp=1700000000,
        type="g", user_id="guest", app_id="h", cluster_id="i")
    channel.basic_publish("", queue, b"m", properties)
    _, back, _ = channel.basic_get(queue, auto_ack=True)
    check("pika: all properties there and back", back == properties, str(back))
    try:
        channel.basic_publish("", "peers-none", b"m", mandatory=True)
        check("pika: what nobody wants is returned", False)
    except pika.exceptions.UnroutableError:
        check("pika: what nobody wants is returned", True)
    for number in range(1000):
        channel.basic_publish("", queue, str(number).encode())
    channel.basic_qos(prefetch_count=50)
    numbers = []
    for method, _, body in channel.consume(queue, inactivity_timeout=10):
        if method is None:
            break
        numbers.append(int(body))
        if len(numbers) % 50 == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if len(numbers) == 1000:
            break
    channel.cancel()
    check("pika: a thousand in order, acknowledged by fifty", numbers == list(range(1000)))
    check("pika: nothing is left", channel.queue_purge(queue).method.message_count == 0)
    channel.queue_delete(queue)
    connection.close()
    check("pika: closed", connection.is_closed)


# --------------------------------------------------------------------------------------- aio-pika


async def aio(url):
    import aio_pika

    connection = await aio_pika.connect_robust(url, reconnect_interval=0.1)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        exchange = await channel.declare_exchange("peers-aio", aio_pika.ExchangeType.TOPIC,
                                                  auto_delete=True)
        queue = await channel.declare_queue("", exclusive=True)
        await queue.bind(exchange, "a.#")
        for number in range(100):
            await exchange.publish(aio_pika.Message(str(number).encode()), "a.%d" % number)
        got = []
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    got.append(int(message.body))
                if len(got) == 100:
                    break
        check("aio-pika: an iterator and process()", got == list(range(100)))

        await exchange.publish(aio_pika.Message(b"again"), "a")
        message = await queue.get(timeout=10)
        try:
            async with message.process(requeue=True):
                raise ValueError("no")
        except ValueError:
            pass
        message = await queue.get(timeout=10)
        check("aio-pika: an exception brings it back", message.redelivered)
        await message.ack()

        strict = await connection.channel(on_return_raises=True)
        try:
            await strict.default_exchange.publish(aio_pika.Message(b"m"), "peers-none")
            check("aio-pika: a return is an error", False)
        except aio_pika.exceptions.DeliveryError:
            check("aio-pika: a return is an error", True)

        # A question and its answer, each through queues of their own.
        from aio_pika.patterns import RPC
        rpc = await RPC.create(channel)

        async def twice(*, n):
            return 2 * n

        await rpc.register("peers_twice", twice, auto_delete=True)
        answers = await asyncio.gather(*(rpc.call("peers_twice", {"n": n}) for n in range(50)))
        check("aio-pika: fifty calls", answers == [2 * n for n in range(50)])
        await rpc.close()

        transactions = await connection.channel(publisher_confirms=False)
        async with transactions.transaction():
            await transactions.default_exchange.publish(aio_pika.Message(b"tx"), queue.name)
        message = await queue.get(timeout=10)
        check("aio-pika: a transaction", message.body == b"tx")
        await message.ack()
    check("aio-pika: closed", connection.is_closed)


def suite_aio(url):
    try:
        import aio_pika  # noqa: F401
    except ImportError:
        return skip("aio-pika", "not installed")
    asyncio.run(asyncio.wait_for(aio(url), 60))


# ----------------------------------------------------------------------------------------- aiormq

# Not there: what needs no broker, and two that a RabbitMQ fails as well: test_connection, now and then,
# with a close that is answered too soon for the client (it also waits for heartbeats, for minutes), and
# test_connection_futures.
AIORMQ_TESTS = ["channel", "channel_futures", "consumer_cancel", "consumer_exceptions", "consumer_publish",
                "delivery_error", "late_confirms", "nowait", "publish_cancel", "writer_shutdown"]


def suite_aiormq(url):
    folder = CACHE / AIORMQ
    if not folder.exists() or not importlib.util.find_spec("pytest_timeout"):
        return skip("aiormq's own tests", "not installed")
    here = str(pathlib.Path(__file__).resolve().parent)
    words = ["-p", "amqp_suite", "-p", "no:cacheprovider", "-q", "-rA", "--tb=short", "--timeout=60",
             "-k", "not amqps and not named"]  # without TLS, and without the same again
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *("tests/test_%s.py" % name for name in AIORMQ_TESTS)],
        cwd=folder, env={**os.environ, "TERN_AMQP": url, "PYTHONPATH": here}, capture_output=True, timeout=170)
    out = done.stdout.decode(errors="replace")
    results = re.findall(r"^(PASSED|FAILED|ERROR) tests/test_(\w+)\.py(\S*)", out, re.M)
    for name in AIORMQ_TESTS:
        passed = sum(result == "PASSED" and file == name for result, file, _ in results)
        wrong = [test for result, file, test in results if result != "PASSED" and file == name]
        check("aiormq's own tests of %s: %d" % (name, passed), passed and not wrong, wrong)
    check("aiormq's own tests end well", done.returncode == 0, out[-6000:] + done.stderr.decode())


def run_suites(url, tern):
    for suite in (lambda: suite_tools(url, tern), lambda: suite_pika(url), lambda: suite_aio(url),
                  lambda: suite_aiormq(url)):
        try:
            suite()
        except Exception as error:  # the others can still be run
            check("a suite to its end", False, repr(error))


def main():
    if sys.argv[1] == "--at":
        run_suites(sys.argv[2], None)
    else:
        tern = os.path.abspath(sys.argv[1])
        broker = subprocess.Popen([tern, "broker", "--amqp", "0"], stdout=subprocess.PIPE, text=True)
        try:
            run_suites("amqp://guest:guest@%s" % broker.stdout.readline().split()[-1], tern)
        finally:
            broker.terminate()
            check("the broker ends when it is told to", broker.wait(timeout=10) == 0)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
