"""Stands in for rules_cc where Bazel has the C++ rules built in (Debian's 4.2.3).

Bazel's own tools load the toolchain rules from here too.
"""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
