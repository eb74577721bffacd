"""The C++ rules of tern: @rules_cc's, with tern's warnings."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")
load(":copts.bzl", "TERN_COPTS")

def tern_cc_library(name, copts = [], **kwargs):
    cc_library(name = name, copts = TERN_COPTS + copts, **kwargs)

def tern_cc_binary(name, copts = [], deps = [], **kwargs):
    cc_binary(name = name, copts = TERN_COPTS + copts, deps = deps + ["//bazel:tsan"], **kwargs)

def tern_cc_test(name, copts = [], deps = [], main = True, **kwargs):
    """A test with GoogleTest, whose main comes along unless `main` is False.

    Args:
      name: of the test.
      copts: added to tern's.
      deps: libraries under test; GoogleTest is added.
      main: whether to link GoogleTest's main.
      **kwargs: as for cc_test. The size is small unless given: under a minute with sanitizers.
    """
    gtest = [
        dep
        for dep in ["//bazel/deps:gtest"] + (["//bazel/deps:gtest_main"] if main else [])
        if dep not in deps
    ]
    cc_test(
        name = name,
        size = kwargs.pop("size", "small"),
        copts = TERN_COPTS + copts,
        linkstatic = kwargs.pop("linkstatic", True),
        deps = deps + gtest + ["//bazel:tsan"],
        **kwargs
    )

def tern_cc_benchmark(name, copts = [], deps = [], **kwargs):
    """A benchmark program with google-benchmark, whose main it writes itself or gets."""
    cc_binary(
        name = name,
        testonly = True,
        copts = TERN_COPTS + copts,
        deps = deps + ["//bazel/deps:benchmark"],
        **kwargs
    )
