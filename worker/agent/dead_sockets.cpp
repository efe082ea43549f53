#include "worker/agent/dead_sockets.hpp"

#include <chrono>
#include <string>
#include <system_error>

#include "worker/protocol/line_channel.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

bool nobody_listens(const fs::path& path) {
  try {
    LineChannel::connect(path);
    return false;
  } catch (const std::system_error& error) {
    return error.code() == std::errc::connection_refused;
  }
}

}  // namespace

void remove_dead_sockets(const fs::path& folder) {
  // One that is just being made is bound before it listens.
  constexpr auto kYoung = std::chrono::minutes(1);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("reelfarm-") || !name.ends_with(".sock") || !entry.is_socket(error)) continue;
    const auto written = entry.last_write_time(error);
    if (error || fs::file_time_type::clock::now() - written < kYoung) continue;
    if (nobody_listens(entry.path())) fs::remove(entry.path(), error);
  }
}

}  // namespace reelfarm::worker
