"""What compare.py compares: for each protocol its clients, its workloads and how they are started."""

import os

CACHE = os.path.expanduser("~/.cache/tern")


class Row:
    """One workload: what the broker is, what each client is told, and what is to be reached."""

    def __init__(self, name, title, do, size, limits, broker, options, *, step=1, least=50_000,
                 floor_of=None, codec=None, most_syscalls=None):
        self.name, self.title, self.do, self.size = name, title, do, size
        self.limits = limits      # of tern's CPU, as multiples of each other client's
        self.broker = broker      # options of the null broker
        self.options = options    # of the clients; one that is not in here does not take part
        self.step = step          # records come in multiples of this
        self.least = least        # records in any sample, so that many partitions are warm
        self.floor_of = floor_of  # the floor is that of another row
        self.codec = codec        # options of floor_gzip, whose cost is added to the floor
        self.most_syscalls = most_syscalls  # of tern, per 1,000 records


class Kafka:
    name = "kafka"
    clients = ("floor", "tern", "librdkafka", "franz-go")
    broker = "null_broker"
    arrived = "produced_records"  # in what the broker counted
    # The floor of these rows is at most this fraction of that client, or proves nothing.
    lazy_floor = {"produce-100": ("librdkafka", 8), "consume-100": ("librdkafka", 8)}

    def __init__(self, folder, go_peer):
        """`folder` has the programs that Bazel has built; `go_peer` is that of Go, if not the usual."""
        self.programs = {name: {d: os.path.join(folder, f"{name}_{d}")
                                for d in ("produce", "consume")} for name in ("floor", "tern")}
        self.skipped = add_peers(self, {
            "librdkafka": (os.path.join(folder, "peers", "rdkafka_peer"),
                           "it is built with Debian's librdkafka-dev"),
            "franz-go": (go_peer or os.path.join(CACHE, "franzgo_peer"),
                         "it is built where Go is")}, ("produce", "consume"))

    @staticmethod
    def counts_arrivals(row):
        return row.do == "produce"

    @staticmethod
    def _row(name, title, do, size, ratios, broker, common, floor=None, tern=(), peers=(),
             held=None, **more):
        """`ratios`: times the floor, 1/n of librdkafka, of franz-go. `held`: as many records as
        peers need on their way for batches of some size."""
        limits = dict(zip(("floor", "librdkafka", "franz-go"),
                          (ratios[0], 1 / ratios[1], 1 / ratios[2])))
        options = {"tern": [*common, *tern],
                   "librdkafka": ["--do", do, *common, *peers,
                                  *(["--queue-messages", held] if held else [])],
                   "franz-go": ["--do", do, *common, *peers,
                                *(["--buffered", held] if held else [])]}
        if floor is not None:
            options["floor"] = [*(common if do == "produce" else ()), *floor]
        # A fetch of 1 MB is 900 records of 1,000 B: there three calls for each are more than three.
        return Row(name, title, do, size, limits, broker, options,
                   most_syscalls=3.0 if size == 100 else None, **more)

    @classmethod
    def rows(cls):
        def produce(name, title, times, rdkafka, franz, size=100, partitions=1, **more):
            common = ["--size", str(size), "--partitions", str(partitions)]
            if "floor_of" not in more:
                more = {"floor": ["--batch", "1000000"], **more}
            return cls._row(name, title, "produce", size, (times, rdkafka, franz), common, common,
                            **more)

        def consume(name, title, times, rdkafka, franz, size, batch, gzip=()):
            more = ({"floor_of": "consume-1000", "codec": ["--do", "consume"]} if gzip
                    else {"floor": []})
            return cls._row(name, title, "consume", size, (times, rdkafka, franz),
                            ["--size", str(size), "--batch-records", str(batch), *gzip],
                            ["--size", str(size)], step=batch, least=50 * batch, **more)

        gzip = ["--gzip", "6"]
        other = ["--thread", "other"]
        one = "produce-100"
        return [
            #        name, title                     times the floor, 1/n of librdkafka, of franz-go
            produce(one, "produce 100 B, 1 partition, a report per batch", 2.5, 5, 5),
            produce("produce-100-handler", "produce 100 B, 1 partition, a handler per record",
                    3.5, 3.5, 3.5, floor_of=one, tern=["--report", "record"]),
            produce("produce-100-thread",
                    "produce 100 B, 1 partition, a report per batch, sent from another thread",
                    4, 3, 3, floor_of=one, tern=other),
            produce("produce-100-handler-thread",
                    "produce 100 B, 1 partition, a handler per record, sent from another thread",
                    5.5, 2.2, 2.2, floor_of=one, tern=["--report", "record", *other]),
            produce("produce-100-p100",
                    "produce 100 B, a random one of 100 partitions each, a report per batch",
                    3.5, 4, 4, partitions=100, floor_of=one),
            produce("produce-100-p10000", "produce 100 B, a random one of 10,000 partitions each",
                    1.6, 4, 4, partitions=10_000, floor=["--fill", "8000000"], held="1000000",
                    least=1_000_000),
            produce("produce-100-p10000-together",
                    "the same, 64 records in a call", 1.6, 4, 4, partitions=10_000,
                    floor_of="produce-100-p10000", tern=["--together", "64"], held="1000000",
                    least=1_000_000),
            produce("produce-1000", "produce 1,000 B, 1 partition", 1.4, 1.6, 1.6, size=1000),
            consume("consume-100", "consume 100 B, 1,000-record batches", 2, 8, 2, 100, 1000),
            consume("consume-1000", "consume 1,000 B", 1.3, 1.1, 3, 1000, 900),
            produce("gzip-produce", "gzip level 6, 1,000 B JSON-like, produce", 1.1, 1, 1,
                    size=1000, floor_of="produce-1000", tern=gzip, peers=gzip,
                    codec=["--do", "produce"]),
            consume("gzip-consume", "gzip level 6, 1,000 B JSON-like, consume", 1.1, 1, 1, 1000,
                    900, gzip=gzip),
        ]


class Amqp:
    name = "amqp"
    clients = ("floor", "tern", "rabbitmq-c", "amqp091-go")
    broker = os.path.join("amqp", "null_broker")
    arrived = "published"
    lazy_floor = {"publish-100": ("rabbitmq-c", 40), "consume-100": ("rabbitmq-c", 2.5)}

    def __init__(self, folder, go_peer):
        self.programs = {name: {d: os.path.join(folder, "amqp", name)
                                for d in ("publish", "consume")} for name in ("floor", "tern")}
        self.skipped = add_peers(self, {
            "rabbitmq-c": (os.path.join(folder, "peers", "rabbitmqc_peer"),
                           "it is built with Debian's librabbitmq-dev"),
            "amqp091-go": (go_peer or os.path.join(CACHE, "amqp091go_peer"),
                           "it is built where Go is")}, ("publish", "consume"))

    @staticmethod
    def counts_arrivals(row):
        return row.do == "publish"

    @classmethod
    def rows(cls):
        def row(name, title, do, times, rabbit, go, size=100, how=None, most_syscalls=20.0,
                **more):
            """`how`: what tern and amqp091-go do instead of `do`."""
            common = ["--size", str(size), "--window" if do == "publish" else "--prefetch",
                      "1000" if size < 10_000 else "16"]
            options = {client: ["--do", how if how and client in ("tern", "amqp091-go") else do,
                                *common] for client in cls.clients}
            if "floor_of" in more:
                del options["floor"]
            limits = {"floor": times, "rabbitmq-c": 1 / rabbit, "amqp091-go": 1 / go}
            return Row(name, title, do, size, limits, ["--size", str(size)], options,
                       most_syscalls=most_syscalls, **more)

        large = {"size": 1_048_576, "least": 200, "most_syscalls": None}
        return [
            #   name, title                       times the floor, 1/n of rabbitmq-c, of amqp091-go
            row("publish-100", "publish 100 B, confirms, window of 1,000", "publish", 4, 40, 40),
            row("publish-100-coroutines",
                "publish 100 B, confirms, 1,000 coroutines each awaiting its publish in a loop",
                "publish", 8, 20, 20, how="coroutines", floor_of="publish-100"),
            row("consume-100", "consume 100 B, prefetch 1,000, acks", "consume", 2.5, 2, 15),
            row("publish-1M", "publish 1 MiB, confirms, window of 16", "publish", 1.3, 1, 1,
                **large),
            row("consume-1M", "consume 1 MiB, prefetch 16, acks", "consume", 1.3, 1, 1, **large),
        ]


def add_peers(suite, peers, work):
    """Those that are there become programs of the suite; returns what is missing, and why."""
    skipped = []
    for name, (path, how) in peers.items():
        if os.access(path, os.X_OK):
            suite.programs[name] = {d: path for d in work}
        else:
            skipped.append(f"{name}: {path} is not there; {how}")
    return skipped


SUITES = {suite.name: suite for suite in (Kafka, Amqp)}
