// What ThreadSanitizer cannot know, for all tests; without it nobody calls this.

extern "C" const char* __tsan_default_suppressions();

// libstdc++.so is not instrumented, and it counts the references to an exception inside: that the
// last one of a future's exception goes after its reader is done is not seen.
extern "C" const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
