# The layers as object libraries, and from the same objects libfreehold.so and libfreehold.a.

set(FH_OBJECTS "")
set(FH_OBJECT_TARGETS "")
set(FH_LAYER_OBJECTS "") # "<layer> <object>" lines, and "<layer> <seen>..." lines: for the layer check
set(FH_LAYER_SEES "")
foreach(layer IN LISTS FH_LAYERS)
  fh_sources_of(sources ${layer})
  if(NOT sources)
    continue() # nothing but headers, or not written yet
  endif()
  add_library(fh_${layer} OBJECT ${sources})
  fh_library_flags(fh_${layer})
  foreach(seen IN LISTS layer FH_SEES_${layer})
    target_include_directories(fh_${layer} PRIVATE ${PROJECT_SOURCE_DIR}/src/${seen})
  endforeach()
  if(layer IN_LIST FH_PUBLIC_LAYERS)
    target_include_directories(fh_${layer} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  endif()
  list(APPEND FH_OBJECT_TARGETS fh_${layer})
  list(APPEND FH_OBJECTS $<TARGET_OBJECTS:fh_${layer}>)
  list(JOIN FH_SEES_${layer} " " seen)
  string(APPEND FH_LAYER_SEES "${layer} ${seen}\n")
  string(APPEND FH_LAYER_OBJECTS "${layer} $<JOIN:$<TARGET_OBJECTS:fh_${layer}>,\n${layer} >\n")
endforeach()
if(NOT FH_OBJECTS)
  message(WARNING "src/ has no sources: nothing to build")
  return()
endif()
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/layer_objects.txt CONTENT "${FH_LAYER_OBJECTS}")
file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/layer_sees.txt CONTENT "${FH_LAYER_SEES}")

# The shared library. Functions of the malloc family carry no version, as in a program that defines its own: whatever
# version of malloc a program asks for, ours answers.
add_library(freehold_shared SHARED ${FH_OBJECTS})
set_target_properties(freehold_shared PROPERTIES
    OUTPUT_NAME freehold
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}
    LINKER_LANGUAGE C
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/src/libfreehold.map
    EXPORT_NAME freehold)
target_include_directories(freehold_shared INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# nodelete: a thread may be inside malloc, and blocks outlive dlclose. now: no lazy binding, which could run the loader
# inside the first malloc of a thread with a small stack.
target_link_options(freehold_shared PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/src/libfreehold.map
    -Wl,--as-needed -Wl,-z,defs -Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete -Wl,-z,noexecstack)

# The static library: all layers as one relocatable object, in which everything hidden has become local. So a program
# that links it sees the malloc family, operator new and delete and fh_*; no name of its own can clash with the rest.
set(archive ${CMAKE_BINARY_DIR}/libfreehold.a)
set(object ${CMAKE_BINARY_DIR}/freehold.o)
add_custom_command(
    OUTPUT ${archive}
    COMMAND ${CMAKE_LINKER} -r -o ${object} ${FH_OBJECTS}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
    COMMAND ${CMAKE_AR} rcs ${archive} ${object}
    DEPENDS ${FH_OBJECT_TARGETS} ${FH_OBJECTS}
    COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Linking libfreehold.a")
add_custom_target(freehold_archive ALL DEPENDS ${archive})
add_library(freehold_static STATIC IMPORTED GLOBAL)
set_target_properties(freehold_static PROPERTIES
    IMPORTED_LOCATION ${archive}
    INTERFACE_INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/include)
add_dependencies(freehold_static freehold_archive)
