// reelfarm-chaos: nothing lost and nothing done twice, whatever is killed, stopped, cut or slow.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "tests/chaos/campaign.hpp"
#include "tests/chaos/options.hpp"
#include "tests/chaos/table.hpp"
#include "tests/support/small_disk.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int kBadInput = 2;

constexpr std::uintmax_t kDiskBytes = std::uintmax_t{2} << 30;

/// A full disk is one that has no more room than what lies on it. Without this there would be disks at the beginning
/// that no job ever fits on, which is a reason to reject it.
constexpr off_t kBallastBytes = off_t{64} << 20;

void put_ballast(const fs::path& folder) {
  const fs::path path = folder / "ballast";
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const int error = file < 0 ? errno : ::posix_fallocate(file, 0, kBallastBytes);
  if (file >= 0) ::close(file);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot make " + path.string());
}

/// Leaves no room on the disk. It may be written to meanwhile, so the size in use is asked again when it was too small.
void fill(const reelfarm::test::SmallDisk& disk) {
  constexpr int kTries = 100;
  for (int tries = 1;; ++tries) {
    try {
      const auto space = fs::space(disk.data());
      return disk.resize(space.capacity - space.free);
    } catch (const std::system_error&) {
      if (tries == kTries) throw;
    }
  }
}

/// What tells how it went wrong; the disk itself ends with this program.
void keep(const fs::path& data, const fs::path& kept) {
  for (const char* folder : {"logs", "jobs", "videos"}) {
    fs::create_directories(kept / folder);
    fs::copy(data / folder, kept / folder, fs::copy_options::recursive);
  }
  std::cout << "what is left of the farm lies in " << kept.string() << '\n';
}

bool survive(reelfarm::chaos::CampaignOptions options, const reelfarm::chaos::Disk& disk, const std::string& no_disk) {
  using namespace reelfarm::chaos;
  try {
    Campaign campaign(std::move(options), disk);
    const Outcome outcome = campaign.run();
    std::cout << make_table(campaign, outcome, no_disk);
    return outcome.good();
  } catch (const std::exception& error) {
    std::cout << "WRONG: " << error.what() << '\n';
    return false;
  }
}

int run(int argc, char** argv) {
  using namespace reelfarm;
  auto options = chaos::read_options(argc, argv);
  if (!options) return 0;
  const fs::path root = fs::temp_directory_path() / ("rf-chaos-" + std::to_string(::getpid()));
  const std::string again = chaos::command_line(*options);
  std::cout << again << std::endl;

  const std::string no_disk = test::enter_mount_namespace();
  std::optional<test::SmallDisk> disk;
  chaos::Disk hands;
  if (no_disk.empty()) {
    disk.emplace(root, kDiskBytes);
    put_ballast(disk->data());
    hands = {[&] { fill(*disk); }, [&] { disk->resize(kDiskBytes); }};
  }
  const fs::path data = root / "data";
  options->farm.data = data;
  const bool good = survive(std::move(*options), hands, no_disk);
  if (!good) {
    keep(data, root.string() + "-kept");
    std::cout << "once more: " << again << '\n';
  }
  disk.reset();
  fs::remove_all(root);
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const reelfarm::chaos::OptionError& error) {
    std::fprintf(stderr, "reelfarm-chaos: %s\n", error.what());
    return kBadInput;
  }
}
