#include "worker/ranks/cuda_driver.hpp"

#include "pipeline/nn/cuda_driver_call.hpp"

namespace reelfarm::worker {

DriverAnswer ask_cuda_driver() {
  DriverAnswer answer;
  void* const driver = nn::cuda_driver();
  if (driver == nullptr) return answer;
  nn::cuda_driver_call(driver, "cuDriverGetVersion", &answer.version);
  constexpr int kNoDevice = 100;  // CUDA_ERROR_NO_DEVICE: the driver works, and there is nothing for it to drive
  if (const int code = nn::cuda_driver_call(driver, "cuInit", 0U); code != 0) {
    if (code != kNoDevice) answer.error = nn::cuda_driver_words(driver, "cuInit", code);
    return answer;
  }
  if (const int code = nn::cuda_driver_call(driver, "cuDeviceGetCount", &answer.gpus); code != 0) {
    answer.error = nn::cuda_driver_words(driver, "cuDeviceGetCount", code);
  }
  return answer;
}

}  // namespace reelfarm::worker
