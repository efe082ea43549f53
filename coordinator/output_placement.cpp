#include "coordinator/output_placement.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "coordinator/output_template.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/file_lock.hpp"
#include "pipeline/artifacts/json_integer.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "queue/codec.hpp"

namespace reelfarm::coordinator {
namespace {

namespace fs = std::filesystem;
using artifacts::StorageError;
using nlohmann::json;

constexpr std::size_t kCopyBytes = 1 << 20;
constexpr int kMaxVersions = 10'000;

struct Placement {
  fs::path path;
  bool done = false;
  fs::path wanted{};     ///< as the output template named it, before a number was added
  int take = 1;          ///< whose video lies, or is to lie, at `path`
  std::string sha256{};  ///< of what the farm has put there; while not done, of what is to be replaced; empty: nothing
};

std::optional<Placement> read_placement(const fs::path& file) {
  const auto text = artifacts::read_file_if_there(file);
  if (!text) return std::nullopt;
  try {
    const json document = json::parse(*text);
    Placement placement{document.at("path").get<std::string>(), document.at("done").get<bool>()};
    // Left out by programs that knew no takes.
    placement.wanted = document.value("wanted", "");
    if (document.contains("take")) placement.take = artifacts::json_integer<int>(document, "take");
    placement.sha256 = document.value("sha256", "");
    return placement;
  } catch (const json::exception& problem) {
    throw queue::CodecError(file.string() + " cannot be read: " + problem.what());
  }
}

void write_placement(const fs::path& file, const Placement& placement) {
  artifacts::write_file_durably(file, json{{"schema", queue::kSchema},
                                           {"path", placement.path.string()},
                                           {"done", placement.done},
                                           {"wanted", placement.wanted.string()},
                                           {"take", placement.take},
                                           {"sha256", placement.sha256}}
                                              .dump() +
                                          "\n");
}

void copy_durably(const fs::path& from, const fs::path& to) {
  artifacts::File in = artifacts::File::open_to_read(from);
  artifacts::File out = artifacts::File::create(to);
  std::vector<std::uint8_t> buffer(kCopyBytes);
  while (const std::size_t count = in.read(buffer)) out.write(std::span(buffer).first(count));
  out.sync();
  out.close();
}

fs::path numbered(const fs::path& path, int version) {
  if (version == 1) return path;
  return path.parent_path() / (path.stem().string() + "_v" + std::to_string(version) + path.extension().string());
}

bool same_content(const fs::path& one, const fs::path& other) {
  std::error_code error;
  return fs::file_size(one, error) == fs::file_size(other, error) && !error &&
         artifacts::sha256_of_file(one) == artifacts::sha256_of_file(other);
}

/// Whether what lies at the place is what the farm has put there.
bool is_ours(const Placement& placement) {
  std::error_code ignored;
  return !placement.sha256.empty() && fs::is_regular_file(placement.path, ignored) &&
         artifacts::sha256_of_file(placement.path) == placement.sha256;
}

/// Renames the copy to the first free name from plan.path on, or over what is there.
fs::path publish(const fs::path& copy, Placement plan, bool overwrite, const fs::path& placement_file) {
  const fs::path first = plan.path;
  const std::string sha256 = artifacts::sha256_of_file(copy);
  for (int version = 1; version <= kMaxVersions; ++version) {
    plan.path = numbered(first, version);
    plan.done = false;
    std::error_code ignored;
    if (!overwrite && fs::exists(fs::symlink_status(plan.path, ignored))) continue;
    // Written first, so that a crash after the rename does not lead to a second copy.
    write_placement(placement_file, plan);
    try {
      if (overwrite) {
        if (::rename(copy.c_str(), plan.path.c_str()) != 0) throw StorageError("rename to", plan.path, 0, errno);
        artifacts::sync_path(plan.path.parent_path());
      } else {
        artifacts::rename_durably(copy, plan.path);
      }
      plan.done = true;
      plan.sha256 = sha256;
      write_placement(placement_file, plan);
      return plan.path;
    } catch (const StorageError& error) {
      if (error.code().value() != EEXIST) throw;
    }
  }
  throw StorageError("find a free name for", first, 0, EEXIST);
}

}  // namespace

bool lies_under(const fs::path& path, const fs::path& output_root) {
  if (output_root.empty() || path.empty()) return false;
  const fs::path below = fs::weakly_canonical(path).lexically_relative(fs::weakly_canonical(output_root));
  return !below.empty() && below != "." && *below.begin() != "..";
}

std::optional<fs::path> placed_output(const queue::DataFolder& data, const std::string& job) {
  const auto placement = read_placement(data.job_placement(job));
  if (!placement || !placement->done) return std::nullopt;
  return placement->path;
}

std::optional<int> placed_take(const queue::DataFolder& data, const std::string& job) {
  const auto placement = read_placement(data.job_placement(job));
  if (!placement || !placement->done) return std::nullopt;
  return placement->take;
}

fs::path place_output(const queue::DataFolder& data, const queue::JobRecord& job) {
  if (const auto placed = placed_output(data, job.id)) return *placed;
  return place_take(data, job, job);
}

fs::path place_take(const queue::DataFolder& data, const queue::JobRecord& first, const queue::JobRecord& used) {
  const fs::path placement_file = data.job_placement(first.id);
  const fs::path video = data.absolute(used.output);
  artifacts::create_folders(data.job(first.id));
  const auto lock = artifacts::FileLock::take(data.job(first.id) / "placed.lock");
  std::optional<Placement> before = read_placement(placement_file);
  if (before && before->take == used.spec.take) {
    if (before->done) return before->path;
    if (same_content(before->path, video)) {
      before->done = true;
      before->sha256 = artifacts::sha256_of_file(video);
      write_placement(placement_file, *before);
      return before->path;
    }
  }
  const fs::path wanted = expand_output(first.spec.output, first.id, used.spec);
  const bool replaces = before && before->wanted == wanted && is_ours(*before);
  Placement plan{replaces ? before->path : wanted, false, wanted, used.spec.take, replaces ? before->sha256 : ""};
  artifacts::create_folders(wanted.parent_path());
  const fs::path copy = wanted.parent_path() / ("." + wanted.filename().string() + "." + first.id + ".partial");
  try {
    copy_durably(video, copy);
    return publish(copy, std::move(plan), replaces || first.spec.overwrite, placement_file);
  } catch (...) {
    ::unlink(copy.c_str());
    throw;
  }
}

}  // namespace reelfarm::coordinator
