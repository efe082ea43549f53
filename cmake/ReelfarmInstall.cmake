# `cmake --install` makes a tree that can be moved as a whole:
#   bin/            the programs; those with LibTorch look for it in ../lib/reelfarm
#   lib/reelfarm/   LibTorch and the few CUDA libraries that libtorch_cpu itself needs
#   lib/            the CUDA plug-in                                                       (component cuda)
#   lib/reelfarm/   libtorch_cuda, cuBLAS, cuDNN, NCCL ...: all but the driver             (component cuda)
#   share/reelfarm/ demo bundle, deploy/, slurm/;   share/doc/reelfarm/
# cpack makes a Debian package of each component; deploy/tarball/make an archive that needs nothing else.
set(REELFARM_LIBRARY_FOLDER lib/reelfarm)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME programs)

install(DIRECTORY bundles/demo DESTINATION share/reelfarm/bundles)
install(DIRECTORY deploy slurm DESTINATION share/reelfarm USE_SOURCE_PERMISSIONS)
install(DIRECTORY docs/ DESTINATION share/doc/reelfarm)
install(FILES README.md LICENSE DESTINATION share/doc/reelfarm)

# Installs `files` and what they need of the folders below `root`, symbolic links included.
set(install_closure "${CMAKE_SOURCE_DIR}/cmake/InstallClosure.cmake")
if(REELFARM_TORCH)
  get_filename_component(torch_root ${REELFARM_TORCH_DIR} DIRECTORY)
  install(CODE "
    set(root \"${torch_root}\")
    set(files \"${REELFARM_TORCH_DIR}/lib/libtorch_cpu.so\")
    set(destination \"${REELFARM_LIBRARY_FOLDER}\")
    include(\"${install_closure}\")")
endif()
if(REELFARM_CUDA_FOUND)
  # cuDNN, cuBLAS and NCCL open parts of themselves by name at run time, so all of a folder goes, not only what is linked.
  file(GLOB cuda_libraries ${torch_root}/nvidia/*/lib/lib*.so.*)
  install(CODE "
    set(root \"${torch_root}\")
    set(files \"${REELFARM_TORCH_DIR}/lib/libtorch_cuda.so;${REELFARM_TORCH_DIR}/lib/libcaffe2_nvrtc.so;${cuda_libraries}\")
    set(destination \"${REELFARM_LIBRARY_FOLDER}\")
    include(\"${install_closure}\")" COMPONENT cuda)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME reelfarm)
set(CPACK_PACKAGE_CONTACT "Reelfarm developers <reelfarm@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "batch render farm for AI video")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL programs)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION video)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME reelfarm)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${REELFARM_TORCH_DIR}/lib)
# What is started as a program, so that no library dependency names it. Roles need Redis 7.
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_DEPENDS "openmpi-bin, redis-server (>= 5:7)")
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_RECOMMENDS "openssh-client")
if(REELFARM_CUDA_FOUND)
  list(APPEND CPACK_COMPONENTS_ALL cuda)
  set(CPACK_DEBIAN_CUDA_PACKAGE_NAME reelfarm-cuda)
  set(CPACK_DEBIAN_CUDA_PACKAGE_DEPENDS "reelfarm (= ${PROJECT_VERSION})")
  set(CPACK_DEBIAN_CUDA_PACKAGE_SHLIBDEPS OFF)
endif()
include(CPack)
