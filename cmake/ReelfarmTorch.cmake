# LibTorch out of the PyPI wheel. Not by find_package(Torch): that one wants a CUDA toolkit as soon as the wheel was built
# with CUDA, and links libtorch_cuda into everything. Programs here link libtorch_cpu and libc10 only; `--device cuda` loads
# libtorch_cuda at run time (pipeline/nn/cuda_backend.hpp), so that one build serves machines with and without a GPU.
file(GLOB torch_candidates ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
set(REELFARM_TORCH_DIR "${torch_candidates}" CACHE PATH "Folder of the torch Python package (has include/ and lib/)")
if(NOT EXISTS ${REELFARM_TORCH_DIR}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch was not found in '${REELFARM_TORCH_DIR}': run tools/setup, or set REELFARM_TORCH_DIR, or -DREELFARM_TORCH=OFF")
endif()

add_library(reelfarm_torch INTERFACE)
add_library(reelfarm::torch ALIAS reelfarm_torch)
target_include_directories(reelfarm_torch SYSTEM INTERFACE ${REELFARM_TORCH_DIR}/include)
target_link_libraries(reelfarm_torch INTERFACE ${REELFARM_TORCH_DIR}/lib/libtorch_cpu.so ${REELFARM_TORCH_DIR}/lib/libc10.so)
# at::parallel_for() lives in LibTorch's headers: compiled without OpenMP it runs its loop on the calling thread alone. The
# wheel's own runtime, so that there is one pool of threads and at::set_num_threads() holds for it.
file(GLOB torch_openmp ${REELFARM_TORCH_DIR}/lib/libgomp*.so* ${REELFARM_TORCH_DIR}.libs/libgomp*.so*)
if(torch_openmp)
  target_compile_options(reelfarm_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  list(GET torch_openmp 0 torch_openmp)
  target_link_libraries(reelfarm_torch INTERFACE ${torch_openmp})
else()
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  target_link_libraries(reelfarm_torch INTERFACE OpenMP::OpenMP_CXX)
endif()
# libtorch_cpu finds libcudart and libcupti through its own rpath; the linker must not go looking for them.
target_link_options(reelfarm_torch INTERFACE -Wl,--allow-shlib-undefined)

# ATen/ATen.h costs 6.5 s a file; precompiled once and shared, a torch source compiles in 1 to 2 s.
file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cpp "// Carries the precompiled ATen header.\n")
add_library(reelfarm_torch_pch STATIC ${CMAKE_BINARY_DIR}/torch_pch.cpp)
target_link_libraries(reelfarm_torch_pch PUBLIC reelfarm_options reelfarm_torch)
target_precompile_headers(reelfarm_torch_pch PRIVATE <ATen/ATen.h>)
