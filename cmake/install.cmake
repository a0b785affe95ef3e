# Installation: the libraries, the header, the program, and what pkg-config and find_package(freehold) need.

include(CMakePackageConfigHelpers)

install(TARGETS freehold_shared EXPORT freehold-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS freehold_record LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES docs/man/freehold-snapshot.5 docs/man/freehold-trace.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES docs/man/freehold.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/freehold.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
install(FILES docs/man/freehold-counters.7 DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
install(FILES ${CMAKE_BINARY_DIR}/libfreehold.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/freehold.h include/freehold_image.h include/freehold_samples.h include/freehold_trace.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET freehold_tool)
  install(TARGETS freehold_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(TARGETS freehold_replay RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/freehold)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/freehold)
install(EXPORT freehold-targets NAMESPACE freehold:: DESTINATION ${package_dir})
configure_package_config_file(cmake/freehold-config.cmake.in ${CMAKE_BINARY_DIR}/freehold-config.cmake
    INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/freehold-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/freehold-config.cmake ${CMAKE_BINARY_DIR}/freehold-config-version.cmake
    DESTINATION ${package_dir})

# pkg-config finds the prefix from where the file is, so an installed tree can be moved.
file(RELATIVE_PATH pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/libfreehold.pc.in ${CMAKE_BINARY_DIR}/libfreehold.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/libfreehold.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
