"""The libraries of the system as Bazel repositories, for WORKSPACE builds (Debian 12).

The names are those of the Bazel Central Registry, so a program that has its own `@asio` or
`@zlib` leaves these macros out and tern uses the program's.
"""

def tern_system_deps():
    """What the library needs: Asio (libasio-dev), zlib (zlib1g-dev).

    And what only one target of it needs: libssl-dev for //client/tls:openssl; liblz4-dev, libsnappy-dev
    and libzstd-dev for those of //client/codecs.
    """
    _system("asio", "/usr/include")
    _system("lz4", "/usr/include")
    _system("openssl", "/usr/include")
    _system("snappy", "/usr/include")
    _system("zlib", "/usr/include")
    _system("zstd", "/usr/include")

def tern_system_dev_deps():
    """What the command, tests and benchmarks need: nlohmann-json3-dev, googletest, libbenchmark-dev."""
    _system("nlohmann_json", "/usr/include")
    _system("googletest", "/usr/src/googletest")
    _system("google_benchmark", "/usr/include")

def _system(name, path):
    if not native.existing_rule(name):
        native.new_local_repository(
            name = name,
            path = path,
            build_file = "@tern//bazel:system_%s.BUILD" % name,
        )
