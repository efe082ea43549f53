#include "cli/farm_file.hpp"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/json_integer.hpp"

namespace reelfarm::cli {

using nlohmann::json;

std::optional<FarmFile> read_farm_file(const queue::DataFolder& data) try {
  const auto text = artifacts::read_file_if_there(data.farm_file());
  if (!text) return std::nullopt;
  const json document = json::parse(*text);
  FarmFile file;
  file.farm = document.at("farm").get<std::string>();
  file.name = document.at("name").get<std::string>();
  file.redis = document.at("redis").get<std::string>();
  file.host = document.value("host", "");
  if (const json& page = document.at("page"); page.is_string()) file.page = page.get<std::string>();
  file.pid = artifacts::json_integer<pid_t>(document, "pid");
  file.pids = document.at("pids").get<std::map<std::string, pid_t>>();
  file.detached = document.at("detached").get<bool>();
  file.allow_volatile = document.at("allow_volatile").get<bool>();
  return file;
} catch (const json::exception& error) {
  throw BadInput("cannot read " + data.farm_file().string() + ": " + error.what());
} catch (const artifacts::ArtifactError& error) {
  throw BadInput(error.what());
}

void write_farm_file(const queue::DataFolder& data, const FarmFile& file) {
  const json document = {{"schema", 1},
                         {"farm", file.farm},
                         {"name", file.name},
                         {"redis", file.redis},
                         {"page", file.page.empty() ? json(nullptr) : json(file.page)},
                         {"host", file.host},
                         {"pid", file.pid},
                         {"pids", file.pids},
                         {"detached", file.detached},
                         {"allow_volatile", file.allow_volatile}};
  const mode_t before = ::umask(077);
  try {
    artifacts::write_file_durably(data.farm_file(), document.dump(1) + "\n");
  } catch (...) {
    ::umask(before);
    throw;
  }
  ::umask(before);
}

std::optional<artifacts::FileLock> take_up_lock(const queue::DataFolder& data, std::chrono::milliseconds patience) {
  artifacts::create_folders(data.run());
  return artifacts::FileLock::try_take(data.run() / "up.lock", patience);
}

}  // namespace reelfarm::cli
