"""Compiler options of tern's own code. Errors are asked for in .bazelrc, not here: a program that
builds tern with a newer compiler must not fail over a new warning."""

TERN_COPTS = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    # clang counts this as part of -Wconversion, g++ does not.
    "-Wno-sign-conversion",
]
