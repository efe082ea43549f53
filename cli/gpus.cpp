#include "cli/gpus.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string>
#include <system_error>

namespace reelfarm::cli {
namespace {

/// /dev/nvidia0, and not /dev/nvidiactl or /dev/nvidia-uvm.
bool is_gpu(const std::string& name) {
  constexpr std::string_view kPrefix = "nvidia";
  return name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
         std::all_of(name.begin() + kPrefix.size(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

std::int64_t count_gpus(const char* visible, const std::filesystem::path& devices) {
  std::int64_t count = 0;
  if (visible != nullptr) {
    std::istringstream names(visible);
    // CUDA sees what stands before the first name that is none: -1 hides all.
    for (std::string name; std::getline(names, name, ',') && !name.empty() && name.front() != '-';) ++count;
    return count;
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(devices, error)) {
    count += is_gpu(entry.path().filename()) ? 1 : 0;
  }
  return count;
}

}  // namespace reelfarm::cli
