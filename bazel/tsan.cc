// What ThreadSanitizer cannot know, for programs that are built with it; nothing otherwise.

#if defined(__SANITIZE_THREAD__)
#define TERN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TERN_TSAN 1
#endif
#endif

#if defined(TERN_TSAN)
extern "C" const char* __tsan_default_suppressions();

// libstdc++.so is not instrumented, and it counts the references to an exception inside: that the
// last one of a future's exception goes after its reader is done is not seen.
extern "C" const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif
