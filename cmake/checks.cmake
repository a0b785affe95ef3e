# The checks: tests of the source tree and of the built files, named checks.<name>. Each is a script in scripts/.

function(fh_add_check name)
  add_test(NAME checks.${name} COMMAND sh ${PROJECT_SOURCE_DIR}/scripts/check_${name}.sh ${ARGN})
  set_tests_properties(checks.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
endfunction()

# fh_add_build_check(<name> <targets> <compiler> [argument...]): they build, and work, in another way than this build.
# Below this build directory, so that a second run has little to do; with one processor, so that other tests go on.
function(fh_add_build_check name targets compiler)
  add_test(NAME checks.${name} COMMAND sh ${PROJECT_SOURCE_DIR}/scripts/check_build.sh ${PROJECT_SOURCE_DIR}
      ${CMAKE_BINARY_DIR}/checks/${name} ${targets} ${compiler} ${CMAKE_COMMAND} ${ARGN})
  set_tests_properties(checks.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
endfunction()

fh_add_check(tidy ${PROJECT_SOURCE_DIR})
fh_add_check(shell ${PROJECT_SOURCE_DIR})
fh_add_check(counters ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
if(TARGET freehold_shared)
  # This build's own compiler is named by the preset; both must do, with the same warnings.
  # Without debug information it takes less time, and warns of as much.
  fh_add_build_check(clang all clang -DFH_TESTS=OFF -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O2)
  # The program is the same with FH_DEBUG.
  fh_add_build_check(debug "freehold_shared freehold_archive freehold_record" ${CMAKE_C_COMPILER}
      -DFH_TESTS=OFF -DFH_DEBUG=ON -DCMAKE_BUILD_TYPE=Debug)
  fh_add_check(exports $<TARGET_FILE:freehold_shared> ${PROJECT_SOURCE_DIR}/scripts/exports.txt)
  fh_add_check(archive ${CMAKE_BINARY_DIR}/libfreehold.a ${PROJECT_SOURCE_DIR}/scripts/exports.txt)
  fh_add_check(install ${CMAKE_BINARY_DIR} ${CMAKE_COMMAND})
  fh_add_check(needed $<TARGET_FILE:freehold_shared>)
  if(TARGET freehold_tool)
    fh_add_check(man ${PROJECT_SOURCE_DIR} $<TARGET_FILE:freehold_tool>)
  endif()
  fh_add_check(layers ${CMAKE_BINARY_DIR}/layer_objects.txt ${CMAKE_BINARY_DIR}/layer_sees.txt)
endif()

# Another C library and another architecture: compiled, and run where there is an emulator.
function(fh_add_port_check name compiler)
  add_test(NAME checks.port_${name} COMMAND sh ${PROJECT_SOURCE_DIR}/scripts/check_port.sh ${PROJECT_SOURCE_DIR}
      ${compiler} ${ARGN})
  set_tests_properties(checks.port_${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
endfunction()
fh_add_port_check(musl musl-gcc)
fh_add_port_check(aarch64 aarch64-linux-gnu-gcc qemu-aarch64 -L /usr/aarch64-linux-gnu)

fh_costs(checks.clang 100 checks.debug 30 checks.shell 12 checks.port_aarch64 10)
