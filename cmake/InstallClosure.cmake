# Run by `cmake --install`: installs the shared libraries `files`, and those below `root` that they need, into
# `destination` under the prefix. What the system has stays the system's.
file(GET_RUNTIME_DEPENDENCIES
  RESOLVED_DEPENDENCIES_VAR needed
  UNRESOLVED_DEPENDENCIES_VAR missing
  LIBRARIES ${files}
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|gcc_s|stdc\\+\\+|cuda|nvidia-ml)\\.so"
  POST_INCLUDE_REGEXES "^${root}/"
  POST_EXCLUDE_REGEXES ".")
foreach(library ${files} ${needed})
  file(INSTALL "${library}" DESTINATION "${CMAKE_INSTALL_PREFIX}/${destination}" TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN)
endforeach()
foreach(library ${missing})
  message(STATUS "left to the system: ${library}")
endforeach()
