# Language level, warnings, sanitizers, ccache: what every target of ours shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(REELFARM_CCACHE ccache)
if(REELFARM_CCACHE)
  # Precompiled headers are cached only with these sloppiness flags (ccache manual, "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
                                  CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${REELFARM_CCACHE})
endif()

add_library(reelfarm_options INTERFACE)
target_include_directories(reelfarm_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(reelfarm_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wnon-virtual-dtor;-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these wrongly inside inlined std::string and std::vector code (GCC bugs 105651, 105329, 105562).
  target_compile_options(reelfarm_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict;-Wno-maybe-uninitialized;-Wno-stringop-overflow;-Wno-array-bounds;-fpch-preprocess>)
endif()
if(REELFARM_SANITIZE)
  target_compile_definitions(reelfarm_options INTERFACE REELFARM_SANITIZED)
  target_compile_options(reelfarm_options INTERFACE -fsanitize=${REELFARM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(reelfarm_options INTERFACE -fsanitize=${REELFARM_SANITIZE})
endif()
