// A disk that runs full while a window is written: on a small file system of its own, in a mount namespace.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "tests/e2e/farm.hpp"

namespace reelfarm::e2e {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = fs::path(REELFARM_REFERENCE_DIR) / "pipeline";

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

/// This process and its children see mounts of their own from here on. Returns why not, or nothing.
std::string enter_namespace() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  const int wanted = user == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;
  if (::unshare(wanted) != 0) return std::string("unshare: ") + std::strerror(errno);
  if (user != 0) {
    write("/proc/self/setgroups", "deny");
    write("/proc/self/uid_map", std::to_string(user) + " " + std::to_string(user) + " 1");
    write("/proc/self/gid_map", std::to_string(group) + " " + std::to_string(group) + " 1");
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return std::string("mount --make-rprivate /: ") + std::strerror(errno);
  }
  return {};
}

/// A data folder with room for `bytes`. Redis has a disk of its own, as where the queue is another machine.
class SmallDisk {
 public:
  explicit SmallDisk(std::uintmax_t bytes) : root_(scratch("disk")) {
    fs::create_directories(data());
    fs::create_directories(root_ / "redis");
    EXPECT_EQ(::mount("none", data().c_str(), "tmpfs", 0, ("size=" + std::to_string(bytes)).c_str()), 0)
        << std::strerror(errno);
    fs::create_directories(data() / "redis");
    EXPECT_EQ(::mount((root_ / "redis").c_str(), (data() / "redis").c_str(), nullptr, MS_BIND, nullptr), 0)
        << std::strerror(errno);
  }
  ~SmallDisk() {
    ::umount2((data() / "redis").c_str(), MNT_DETACH);
    ::umount2(data().c_str(), MNT_DETACH);
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  fs::path data() const { return root_ / "data"; }

 private:
  fs::path root_;
};

/// Leaves `free` bytes of the file system that `file` is on.
void fill(const fs::path& file, std::uintmax_t free) {
  const std::uintmax_t available = fs::space(file.parent_path()).available;
  ASSERT_GT(available, free);
  write(file, std::string(available - free, 'x'));
}

TEST(FullDisk, PausesTheGroupWhichSaysSoAndGoesOnWhenThereIsRoom) {
  if (const std::string problem = enter_namespace(); !problem.empty()) {
    GTEST_SKIP() << "no mount namespace for a small file system (" << problem << ")";
  }
  const SmallDisk disk(8 << 20);
  Farm farm(kReference / "latent_concat", "", disk.data());
  const fs::path jobs = farm.data() / "jobs";
  const std::string enqueue = "enqueue --prompt 'a cat' --seed 3 --image " + (kReference / "photo.png").string();

  // The photograph itself does not fit: refused, and nothing is queued.
  fill(jobs / "ballast", 100 << 10);
  const Result refused = farm.run(enqueue + " --frames 17");
  EXPECT_EQ(refused.exit_code, 2) << refused.out << refused.err;
  EXPECT_NE(refused.err.find("No space left on device"), std::string::npos) << refused.err;
  EXPECT_NE(farm.run("status").out.find("no jobs"), std::string::npos);
  fs::remove(jobs / "ballast");
  EXPECT_EQ(farm.run(enqueue + " --frames 17 --wait").exit_code, 0);

  // The photograph is there; room for the plan and some of three windows of 17 frames, 0.1 to 0.35 MB each.
  fill(jobs / "ballast", 400 << 10);
  const std::string job = farm.json(enqueue + " --frames 49")["job"];
  ASSERT_TRUE(eventually([&] {
    const nlohmann::json groups = farm.json("groups");
    return groups.dump().find("is full") != std::string::npos;
  })) << farm.json("groups").dump()
      << farm.status(job).dump();
  const nlohmann::json before = farm.status(job);
  EXPECT_EQ(before["state"], "running") << before.dump();
  ASSERT_EQ(before["windows"].size(), 3u);

  fs::remove(jobs / "ballast");
  ASSERT_TRUE(eventually([&] { return farm.status(job)["state"] == "done"; })) << farm.status(job).dump();
  const nlohmann::json after = farm.status(job);
  for (std::size_t j = 0; j < 3; ++j) {
    if (before["windows"][j]["state"] == "done") {
      EXPECT_EQ(after["windows"][j]["attempt"], before["windows"][j]["attempt"]) << "window " << j << " ran again";
    }
  }
  EXPECT_EQ(probe(after["output"].get<std::string>())["nb_read_frames"], "49");
}

}  // namespace
}  // namespace reelfarm::e2e
