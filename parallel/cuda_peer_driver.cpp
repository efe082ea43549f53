#include <bit>
#include <cstring>
#include <string>

#include "parallel/peer_driver.hpp"

#ifdef REELFARM_NCCL
#include <cuda.h>

#include "parallel/loaded_library.hpp"
#endif

namespace reelfarm::parallel {

#ifdef REELFARM_NCCL
namespace {

static_assert(sizeof(CUipcMemHandle) == std::tuple_size_v<PeerHandle>);

CUdeviceptr address(const void* memory) {
  return reinterpret_cast<CUdeviceptr>(memory);
}

void* pointer(CUdeviceptr memory) {
  return std::bit_cast<void*>(memory);
}

class LoadedDriver final : public PeerDriver {
 public:
  LoadedDriver() {
    const LoadedLibrary<PeerError> library("CUDA driver", "libcuda.so.1");
    library.find(error_string_, "cuGetErrorString");
    library.find(allocate_, "cuMemAlloc_v2");
    library.find(free_, "cuMemFree_v2");
    library.find(get_handle_, "cuIpcGetMemHandle");
    library.find(open_handle_, "cuIpcOpenMemHandle_v2");
    library.find(close_handle_, "cuIpcCloseMemHandle");
    library.find(register_, "cuMemHostRegister_v2");
    library.find(unregister_, "cuMemHostUnregister");
    library.find(device_pointer_, "cuMemHostGetDevicePointer_v2");
    library.find(copy_, "cuMemcpy2DAsync_v2");
    library.find(write_, "cuStreamWriteValue32_v2");
    library.find(wait_, "cuStreamWaitValue32_v2");
    library.find(synchronize_, "cuCtxSynchronize");
  }

  void* allocate(std::size_t bytes) override {
    CUdeviceptr memory = 0;
    check(allocate_(&memory, bytes), "cuMemAlloc");
    return pointer(memory);
  }
  void release(void* memory) noexcept override { free_(address(memory)); }

  PeerHandle handle_of(void* memory) override {
    CUipcMemHandle own;
    check(get_handle_(&own, address(memory)), "cuIpcGetMemHandle");
    PeerHandle handle;
    std::memcpy(handle.data(), &own, handle.size());
    return handle;
  }

  void* open(const PeerHandle& handle) override {
    CUipcMemHandle own;
    std::memcpy(&own, handle.data(), handle.size());
    CUdeviceptr memory = 0;
    check(open_handle_(&memory, own, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS), "cuIpcOpenMemHandle");
    return pointer(memory);
  }
  void close(void* memory) noexcept override { close_handle_(address(memory)); }

  void* enlist(void* host, std::size_t bytes) override {
    check(register_(host, bytes, CU_MEMHOSTREGISTER_DEVICEMAP), "cuMemHostRegister");
    CUdeviceptr there = 0;
    check(device_pointer_(&there, host, 0), "cuMemHostGetDevicePointer");
    return pointer(there);
  }
  void dismiss(void* host) noexcept override { unregister_(host); }

  void copy(const RowsCopy& rows, void* stream) override {
    CUDA_MEMCPY2D what;
    std::memset(&what, 0, sizeof what);
    what.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    what.srcDevice = address(rows.from);
    what.srcPitch = rows.from_pitch;
    what.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    what.dstDevice = address(rows.to);
    what.dstPitch = rows.to_pitch;
    what.WidthInBytes = rows.width;
    what.Height = rows.rows;
    check(copy_(&what, static_cast<CUstream>(stream)), "cuMemcpy2DAsync");
  }
  void write(void* word, std::uint32_t value, void* stream) override {
    check(write_(static_cast<CUstream>(stream), address(word), value, CU_STREAM_WRITE_VALUE_DEFAULT),
          "cuStreamWriteValue32");
  }
  void wait(void* word, std::uint32_t value, void* stream) override {
    check(wait_(static_cast<CUstream>(stream), address(word), value, CU_STREAM_WAIT_VALUE_GEQ), "cuStreamWaitValue32");
  }

  void synchronize() override { check(synchronize_(), "cuCtxSynchronize"); }

 private:
  void check(CUresult result, const char* call) const {
    if (result == CUDA_SUCCESS) return;
    const char* words = nullptr;
    error_string_(result, &words);
    throw PeerError(std::string("CUDA driver: ") + call + " failed with code " + std::to_string(result) +
                    (words != nullptr ? ": " + std::string(words) : ""));
  }

  decltype(cuGetErrorString)* error_string_ = nullptr;
  decltype(cuMemAlloc)* allocate_ = nullptr;
  decltype(cuMemFree)* free_ = nullptr;
  decltype(cuIpcGetMemHandle)* get_handle_ = nullptr;
  decltype(cuIpcOpenMemHandle)* open_handle_ = nullptr;
  decltype(cuIpcCloseMemHandle)* close_handle_ = nullptr;
  decltype(cuMemHostRegister)* register_ = nullptr;
  decltype(cuMemHostUnregister)* unregister_ = nullptr;
  decltype(cuMemHostGetDevicePointer)* device_pointer_ = nullptr;
  decltype(cuMemcpy2DAsync)* copy_ = nullptr;
  decltype(cuStreamWriteValue32)* write_ = nullptr;
  decltype(cuStreamWaitValue32)* wait_ = nullptr;
  decltype(cuCtxSynchronize)* synchronize_ = nullptr;
};

}  // namespace

std::shared_ptr<PeerDriver> load_peer_driver() {
  return std::make_shared<LoadedDriver>();
}

#else

std::shared_ptr<PeerDriver> load_peer_driver() {
  throw PeerError("CUDA driver: this program was built without cuda.h, so ranks cannot reach each other's memory");
}

#endif

}  // namespace reelfarm::parallel
