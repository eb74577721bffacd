"""A fuzz target, built twice."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")
load(":copts.bzl", "TERN_COPTS")

def tern_fuzz_test(name, srcs, corpus = [], deps = [], copts = [], **kwargs):
    """Builds `LLVMFuzzerTestOneInput` as NAME_replay and as NAME_fuzz.

    NAME_replay is a test for any compiler that runs the target over the corpus and over a fixed
    number of mutations of it. NAME_fuzz is the libFuzzer program; it needs `--config=fuzz`.

    Args:
      name: of the pair.
      srcs: with the target.
      corpus: files to start from.
      deps: libraries under test.
      copts: added to tern's.
      **kwargs: for the test.
    """
    cc_test(
        name = name + "_replay",
        size = kwargs.pop("size", "small"),
        srcs = srcs,
        args = ["$(rootpath %s)" % file for file in corpus],
        copts = TERN_COPTS + copts,
        data = corpus,
        linkstatic = True,
        deps = deps + ["//fuzz:standalone_main"],
        **kwargs
    )
    cc_binary(
        name = name + "_fuzz",
        testonly = True,
        srcs = srcs,
        copts = TERN_COPTS + copts,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = deps,
    )
