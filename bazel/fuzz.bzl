"""A fuzz target, built twice."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")
load(":copts.bzl", "TERN_COPTS")

def tern_fuzz_test(name, srcs = [], deps = [], mutations = 40000, **kwargs):
    """Builds `LLVMFuzzerTestOneInput` as NAME_replay and as NAME_fuzz.

    NAME_replay is a test for any compiler that runs the target over corpus/NAME.txt and over a fixed
    number of mutations of it. NAME_fuzz is the libFuzzer program; it needs `--config=fuzz`.

    Args:
      name: of the pair; the target is in NAME.cc.
      srcs: other sources of the target.
      deps: libraries under test.
      mutations: how many NAME_replay runs; about ten seconds' worth with sanitizers.
      **kwargs: for the test.
    """
    corpus = "corpus/%s.txt" % name
    cc_test(
        name = name + "_replay",
        size = kwargs.pop("size", "small"),
        srcs = [name + ".cc"] + srcs,
        args = [str(mutations), "$(rootpath %s)" % corpus],
        copts = TERN_COPTS,
        data = [corpus],
        linkstatic = True,
        deps = deps + ["//fuzz:standalone_main", "//fuzz:target"],
        **kwargs
    )
    cc_binary(
        name = name + "_fuzz",
        testonly = True,
        srcs = [name + ".cc"] + srcs,
        copts = TERN_COPTS,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = deps + ["//fuzz:target"],
    )
