# Sanitizer builds (presets asan and tsan). A sanitizer brings a malloc of its own, so these build the library under
# other names (FH_PREFIXED=1: fh_test_malloc for malloc, and so on), and of the tests only those that use those names.

if(FH_SANITIZE STREQUAL "address")
  set(FH_SANITIZE_OPTIONS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(FH_SANITIZE STREQUAL "thread")
  set(FH_SANITIZE_OPTIONS -fsanitize=thread -fno-omit-frame-pointer)
elseif(FH_SANITIZE)
  message(FATAL_ERROR "FH_SANITIZE is '${FH_SANITIZE}'; it can be address or thread")
endif()
if(FH_SANITIZE)
  add_compile_options(${FH_SANITIZE_OPTIONS})
  add_link_options(${FH_SANITIZE_OPTIONS})
  add_compile_definitions(FH_PREFIXED=1)
endif()
