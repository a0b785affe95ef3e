# libfreehold-record.so: the library itself, whose entry points are renamed to fhbase_*, behind entry points that note
# each call (record/). The library proper has nothing of this. Only `freehold record` loads it.

set(record_names
    malloc free calloc realloc reallocarray aligned_alloc memalign posix_memalign valloc pvalloc malloc_usable_size
    malloc_trim free_sized free_aligned_sized cfree
    _Znwm _Znam _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t _ZnwmSt11align_val_t _ZnamSt11align_val_t
    _ZnwmSt11align_val_tRKSt9nothrow_t _ZnamSt11align_val_tRKSt9nothrow_t
    _ZdlPv _ZdaPv _ZdlPvm _ZdaPvm _ZdlPvRKSt9nothrow_t _ZdaPvRKSt9nothrow_t _ZdlPvSt11align_val_t
    _ZdaPvSt11align_val_t _ZdlPvmSt11align_val_t _ZdaPvmSt11align_val_t _ZdlPvSt11align_val_tRKSt9nothrow_t
    _ZdaPvSt11align_val_tRKSt9nothrow_t)
list(TRANSFORM record_names REPLACE "(.+)" "\\1 fhbase_\\1" OUTPUT_VARIABLE record_renames)
list(JOIN record_renames "\n" record_renames)
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/record_renames.txt CONTENT "${record_renames}\n")

set(record_base ${CMAKE_BINARY_DIR}/freehold-base.o)
add_custom_command(
    OUTPUT ${record_base}
    COMMAND ${CMAKE_LINKER} -r -o ${record_base} ${FH_OBJECTS}
    COMMAND ${CMAKE_OBJCOPY} --redefine-syms=${CMAKE_BINARY_DIR}/record_renames.txt ${record_base}
    DEPENDS ${FH_OBJECT_TARGETS} ${FH_OBJECTS} ${CMAKE_BINARY_DIR}/record_renames.txt
    COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Renaming the entry points for libfreehold-record.so")

file(GLOB record_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/record/*.c)
add_library(freehold_record SHARED ${record_sources} ${record_base})
fh_library_flags(freehold_record)
set_source_files_properties(${PROJECT_SOURCE_DIR}/record/entry_new.c PROPERTIES COMPILE_OPTIONS -fexceptions)
set_source_files_properties(${record_base} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
target_include_directories(freehold_record PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src/base ${PROJECT_SOURCE_DIR}/src/os)
set_target_properties(freehold_record PROPERTIES
    OUTPUT_NAME freehold-record
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}
    LINKER_LANGUAGE C
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/record/record.map)
target_link_options(freehold_record PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/record/record.map
    -Wl,--as-needed -Wl,-z,defs -Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete -Wl,-z,noexecstack)
