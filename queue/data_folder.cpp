#include "queue/data_folder.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace reelfarm::queue {
namespace {

bool climbs(const std::filesystem::path& path) {
  for (const auto& part : path) {
    if (part == "..") return true;
  }
  return false;
}

}  // namespace

std::string DataFolder::relative(const std::filesystem::path& path) const {
  const auto below = path.lexically_normal().lexically_relative(root_.lexically_normal());
  if (below.empty() || below.is_absolute() || climbs(below)) {
    throw DataFolderError(path.string() + " is not inside the data folder " + root_.string());
  }
  return below.generic_string();
}

std::filesystem::path DataFolder::absolute(std::string_view stored) const {
  const std::filesystem::path path(stored);
  if (path.empty() || path.is_absolute() || climbs(path)) {
    throw DataFolderError("stored path '" + std::string(stored) + "' does not lie in the data folder " +
                          root_.string());
  }
  return root_ / path;
}

std::optional<std::string> DataFolder::owner() const {
  std::error_code error;
  if (!std::filesystem::exists(marker(), error)) {
    if (error) throw DataFolderError("cannot look for " + marker().string() + ": " + error.message());
    return std::nullopt;
  }
  std::ifstream file(marker());
  std::string id;
  if (!std::getline(file, id) || id.empty()) {
    throw DataFolderError("cannot read the farm id in " + marker().string() + ": " + std::strerror(errno));
  }
  return id;
}

void DataFolder::require_owner(std::string_view farm_id) const {
  if (farm_id.empty()) {
    throw DataFolderError("Redis knows no farm yet: no coordinator has been started on it (reelfarm up, " +
                          std::string("reelfarm-coordinator), so whose the data folder ") + root_.string() +
                          " is cannot be told");
  }
  const auto found = owner();
  if (!found) {
    throw DataFolderError(
        "the data folder " + root_.string() + " has no marker file farm.id: it is not the folder of " + "this farm (" +
        std::string(farm_id) + "), its disk is not mounted, or no coordinator has been started on it yet");
  }
  if (*found != farm_id) {
    throw DataFolderError("the data folder " + root_.string() + " belongs to farm " + *found +
                          ", but Redis is that of farm " + std::string(farm_id) +
                          ": give the --data and --redis of one farm");
  }
}

std::string DataFolder::complaint(std::string_view farm_id) const {
  try {
    require_owner(farm_id);
    return "";
  } catch (const DataFolderError& error) {
    return error.what();
  }
}

}  // namespace reelfarm::queue
