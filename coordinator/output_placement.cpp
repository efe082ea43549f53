#include "coordinator/output_placement.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "coordinator/output_template.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
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
};

std::optional<Placement> read_placement(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return std::nullopt;
  try {
    const json document = json::parse(artifacts::read_file(file));
    return Placement{document.at("path").get<std::string>(), document.at("done").get<bool>()};
  } catch (const json::exception& problem) {
    throw queue::CodecError(file.string() + " cannot be read: " + problem.what());
  }
}

void write_placement(const fs::path& file, const Placement& placement) {
  artifacts::write_file_durably(
      file,
      json{{"schema", queue::kSchema}, {"path", placement.path.string()}, {"done", placement.done}}.dump() + "\n");
}

/// Held while one process places the copy of one job.
class PlacementLock {
 public:
  explicit PlacementLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (fd_ < 0) throw StorageError("create", path, 0, errno);
    while (::flock(fd_, LOCK_EX) != 0) {
      if (errno != EINTR) {
        const int error = errno;
        ::close(fd_);
        throw StorageError("lock", path, 0, error);
      }
    }
  }
  ~PlacementLock() { ::close(fd_); }
  PlacementLock(const PlacementLock&) = delete;
  PlacementLock& operator=(const PlacementLock&) = delete;

 private:
  int fd_;
};

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

fs::path publish(const fs::path& copy, const fs::path& wanted, bool overwrite, const fs::path& placement_file) {
  for (int version = 1; version <= kMaxVersions; ++version) {
    fs::path target = numbered(wanted, version);
    std::error_code ignored;
    if (!overwrite && fs::exists(fs::symlink_status(target, ignored))) continue;
    // Written first, so that a crash after the rename does not lead to a second copy.
    write_placement(placement_file, {target, false});
    try {
      if (overwrite) {
        if (::rename(copy.c_str(), target.c_str()) != 0) throw StorageError("rename to", target, 0, errno);
        artifacts::sync_path(target.parent_path());
      } else {
        artifacts::rename_durably(copy, target);
      }
      write_placement(placement_file, {target, true});
      return target;
    } catch (const StorageError& error) {
      if (error.code().value() != EEXIST) throw;
    }
  }
  throw StorageError("find a free name for", wanted, 0, EEXIST);
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

fs::path place_output(const queue::DataFolder& data, const queue::JobRecord& job) {
  const fs::path placement_file = data.job_placement(job.id);
  if (const auto placed = placed_output(data, job.id)) return *placed;
  const fs::path video = data.absolute(job.output);
  artifacts::create_folders(data.job(job.id));
  const PlacementLock lock(data.job(job.id) / "placed.lock");
  if (const auto placement = read_placement(placement_file)) {
    if (placement->done) return placement->path;
    if (same_content(placement->path, video)) {
      write_placement(placement_file, {placement->path, true});
      return placement->path;
    }
  }
  const fs::path wanted = expand_output(job.spec.output, job.id, job.spec);
  artifacts::create_folders(wanted.parent_path());
  const fs::path copy = wanted.parent_path() / ("." + wanted.filename().string() + "." + job.id + ".partial");
  try {
    copy_durably(video, copy);
    return publish(copy, wanted, job.spec.overwrite, placement_file);
  } catch (...) {
    ::unlink(copy.c_str());
    throw;
  }
}

}  // namespace reelfarm::coordinator
