#include "pipeline/render/gpu_choice.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <vector>

#include "pipeline/nn/cuda_backend.hpp"

namespace reelfarm::render {

std::string gpu_at(int place, const std::string& visible, const std::function<bool(const std::string& gpu)>& exists) {
  std::vector<std::string> gpus;
  if (!visible.empty()) {
    std::istringstream names(visible);
    for (std::string name; std::getline(names, name, ',');) gpus.push_back(name);
  } else {
    while (gpus.size() <= static_cast<std::size_t>(place) && exists(std::to_string(gpus.size()))) {
      gpus.push_back(std::to_string(gpus.size()));
    }
  }
  return gpus.empty() ? std::string() : gpus[static_cast<std::size_t>(place) % gpus.size()];
}

bool gpu_exists(const std::string& gpu) {
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork to look for GPU " + gpu);
  if (child == 0) {
    ::setenv(kVisibleGpus, gpu.c_str(), 1);
    ::_exit(nn::cuda_device_present() ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void take_own_gpu(const std::string& device, int first_place, const char* local_rank, const char* visible) {
  if (device != "auto" && device != "cuda") return;
  const int place = first_place + (local_rank != nullptr ? std::stoi(local_rank) : 0);
  if (place == 0) return;
  if (visible != nullptr && *visible == '\0') return;  // all are hidden
  const std::string gpu = gpu_at(place, visible != nullptr ? visible : "", gpu_exists);
  if (!gpu.empty()) ::setenv(kVisibleGpus, gpu.c_str(), 1);
}

}  // namespace reelfarm::render
