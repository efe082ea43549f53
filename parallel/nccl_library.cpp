#include <chrono>
#include <thread>

#include "parallel/nccl_api.hpp"

#ifdef REELFARM_NCCL
#include <nccl.h>

#include "parallel/loaded_library.hpp"
#endif

namespace reelfarm::parallel {

#ifdef REELFARM_NCCL
namespace {

static_assert(sizeof(ncclUniqueId) == std::tuple_size_v<NcclId>);

class LoadedNccl final : public NcclApi {
 public:
  LoadedNccl() {
    const LoadedLibrary<NcclError> library("NCCL", "libnccl.so.2");
    library.find(version_, "ncclGetVersion");
    library.find(unique_id_, "ncclGetUniqueId");
    library.find(init_, "ncclCommInitRankConfig");
    library.find(group_start_, "ncclGroupStart");
    library.find(group_end_, "ncclGroupEnd");
    library.find(send_, "ncclSend");
    library.find(receive_, "ncclRecv");
    library.find(async_error_, "ncclCommGetAsyncError");
    library.find(finalize_, "ncclCommFinalize");
    library.find(destroy_, "ncclCommDestroy");
    library.find(abort_, "ncclCommAbort");
    library.find(error_string_, "ncclGetErrorString");
    library.find(last_error_, "ncclGetLastError");
  }

  int version() override {
    int number = 0;
    check(version_(&number), "ncclGetVersion", nullptr);
    return number;
  }

  NcclId unique_id() override {
    ncclUniqueId id;
    check(unique_id_(&id), "ncclGetUniqueId", nullptr);
    NcclId bytes;
    std::copy(std::begin(id.internal), std::end(id.internal), bytes.begin());
    return bytes;
  }

  NcclHandle begin_init(int size, const NcclId& id, int rank) override {
    ncclUniqueId own;
    std::copy(id.begin(), id.end(), std::begin(own.internal));
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    ncclComm_t communicator = nullptr;
    check(init_(&communicator, size, own, rank, &config), "ncclCommInitRankConfig", nullptr);
    return communicator;
  }

  void group_start() override { check(group_start_(), "ncclGroupStart", nullptr); }
  void group_end() override { check(group_end_(), "ncclGroupEnd", nullptr); }

  void send(const void* bytes, std::size_t count, int to, NcclHandle communicator, void* stream) override {
    check(send_(bytes, count, ncclUint8, to, comm(communicator), static_cast<cudaStream_t>(stream)), "ncclSend",
          communicator);
  }
  void receive(void* bytes, std::size_t count, int from, NcclHandle communicator, void* stream) override {
    check(receive_(bytes, count, ncclUint8, from, comm(communicator), static_cast<cudaStream_t>(stream)), "ncclRecv",
          communicator);
  }

  NcclState state(NcclHandle communicator) override {
    ncclResult_t result = ncclSuccess;
    check(async_error_(comm(communicator), &result), "ncclCommGetAsyncError", communicator);
    check(result, "the communicator", communicator);
    return result == ncclInProgress ? NcclState::in_progress : NcclState::ready;
  }

  void abort(NcclHandle communicator) noexcept override { abort_(comm(communicator)); }

  void destroy(NcclHandle communicator) noexcept override {
    // Peers finalize at the same time. One that does not, because it was lost, is not waited for.
    constexpr auto kPatience = std::chrono::seconds(10);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    ncclResult_t result = finalize_(comm(communicator));
    while (result == ncclInProgress && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      if (async_error_(comm(communicator), &result) != ncclSuccess) break;
    }
    if (result == ncclSuccess) {
      destroy_(comm(communicator));
    } else {
      abort_(comm(communicator));
    }
  }

 private:
  static ncclComm_t comm(NcclHandle communicator) { return static_cast<ncclComm_t>(communicator); }

  void check(ncclResult_t result, const char* call, NcclHandle communicator) const {
    if (result == ncclSuccess || result == ncclInProgress) return;
    const char* details = last_error_(comm(communicator));
    throw NcclError(std::string("NCCL: ") + call + " failed with code " + std::to_string(result) + ": " +
                    error_string_(result) + (details != nullptr && *details != '\0' ? "; " : "") +
                    (details != nullptr ? details : ""));
  }

  decltype(ncclGetVersion)* version_ = nullptr;
  decltype(ncclGetUniqueId)* unique_id_ = nullptr;
  decltype(ncclCommInitRankConfig)* init_ = nullptr;
  decltype(ncclGroupStart)* group_start_ = nullptr;
  decltype(ncclGroupEnd)* group_end_ = nullptr;
  decltype(ncclSend)* send_ = nullptr;
  decltype(ncclRecv)* receive_ = nullptr;
  decltype(ncclCommGetAsyncError)* async_error_ = nullptr;
  decltype(ncclCommFinalize)* finalize_ = nullptr;
  decltype(ncclCommDestroy)* destroy_ = nullptr;
  decltype(ncclCommAbort)* abort_ = nullptr;
  decltype(ncclGetErrorString)* error_string_ = nullptr;
  decltype(ncclGetLastError)* last_error_ = nullptr;
};

}  // namespace

std::shared_ptr<NcclApi> load_nccl() {
  return std::make_shared<LoadedNccl>();
}

#else

std::shared_ptr<NcclApi> load_nccl() {
  throw NcclError(
      "NCCL: this program was built without nccl.h, so ranks cannot exchange what lies on GPUs; build it where the "
      "CUDA "
      "toolkit or the full torch package is, or give each group one rank");
}

#endif

}  // namespace reelfarm::parallel
