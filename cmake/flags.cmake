# How the library's sources are compiled; the same for the library and for every variant that a test builds of it.

set(FH_WARNINGS -Wall -Wextra -Wundef -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror)

# Why each option that is not obvious:
#   -ftls-model=initial-exec       the fast path reads its thread cache in one instruction, and never calls the loader's
#                                  __tls_get_addr, which may call malloc
#   -fno-builtin-<function>        the compiler must not turn our malloc + memset into a call of our own calloc
#   -fno-semantic-interposition    calls between our own functions need no detour by the PLT
set(FH_CODE_OPTIONS
    -fPIC
    -fvisibility=hidden
    -ftls-model=initial-exec
    -fno-builtin-malloc
    -fno-builtin-calloc
    -fno-builtin-realloc
    -fno-builtin-free
    -fno-semantic-interposition)

# fh_sources_of(<out> <layer>): the source files of one layer, absolute.
function(fh_sources_of out layer)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*.c)
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# fh_library_flags(<target>): warnings, code options and the debug switch.
function(fh_library_flags target)
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON)
  target_compile_options(${target} PRIVATE ${FH_WARNINGS} ${FH_CODE_OPTIONS})
  if(FH_DEBUG)
    target_compile_definitions(${target} PRIVATE FH_DEBUG=1)
  endif()
  # operator new calls the program's new-handler, which may throw: its frame must be one that can be unwound through.
  # Source properties belong to the directory that makes the target, hence here and not once at the root.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/src/api/operator_new.c PROPERTIES COMPILE_OPTIONS -fexceptions)
endfunction()

# fh_add_library_variant(<name> [DEFINITIONS d...] [OPTIONS o...] [EXCLUDE file...])
#
# A static library of all layers, compiled again with other definitions and options; for tests. Whoever links it gets
# the include paths of every layer and of the public header. DEFINITIONS are passed on to users of the library (they
# change what the headers declare), OPTIONS are not. EXCLUDE takes paths relative to src/ ("os/memory.c"), for tests
# that bring their own version of a file.
function(fh_add_library_variant name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEFINITIONS;OPTIONS;EXCLUDE")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "fh_add_library_variant(${name}): what is '${arg_UNPARSED_ARGUMENTS}'?")
  endif()
  set(all "")
  set(paths ${PROJECT_SOURCE_DIR}/include)
  foreach(layer IN LISTS FH_LAYERS)
    fh_sources_of(sources ${layer})
    list(APPEND all ${sources})
    list(APPEND paths ${PROJECT_SOURCE_DIR}/src/${layer})
  endforeach()
  foreach(file IN LISTS arg_EXCLUDE)
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/src/${file})
      message(FATAL_ERROR "fh_add_library_variant(${name}): there is no src/${file} to exclude")
    endif()
    list(REMOVE_ITEM all ${PROJECT_SOURCE_DIR}/src/${file})
  endforeach()
  add_library(${name} STATIC ${all})
  fh_library_flags(${name})
  target_include_directories(${name} PUBLIC ${paths})
  target_compile_definitions(${name} PUBLIC ${arg_DEFINITIONS})
  # The standard's headers declare malloc, but nobody declares fh_test_malloc. And gcc warns of every fence under
  # ThreadSanitizer, which does not model them.
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
  if(CMAKE_C_COMPILER_ID STREQUAL GNU)
    target_compile_options(${name} PRIVATE -Wno-tsan)
  endif()
  target_compile_options(${name} PRIVATE ${arg_OPTIONS})
  target_link_libraries(${name} PUBLIC Threads::Threads)
endfunction()
