#include "pipeline/weights/bundle_hash.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "tests/weights/bundle_folder.hpp"

namespace reelfarm::weights {
namespace {

namespace fs = std::filesystem;
using testing::BundleFolder;
using testing::TemporaryFolder;
using testing::write_text;

std::string hash_of(const fs::path& folder, const fs::path& cache = {}) {
  return bundle_hash(Bundle::open(folder), cache);
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(BundleHash, DependsOnContentsAndNamesButNotOnThePlace) {
  const BundleFolder folder;
  const std::string first = hash_of(folder.path());
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(hash_of(folder.path()), first);
  const TemporaryFolder other;
  fs::copy(folder.path(), other / "renamed", fs::copy_options::recursive);
  EXPECT_EQ(hash_of(other / "renamed"), first);

  folder.write_weights("vae", {1, 2, 4});
  EXPECT_NE(hash_of(folder.path()), first) << "one number of one tensor";
  folder.write_weights("vae", {1, 2, 3});
  EXPECT_EQ(hash_of(folder.path()), first);
  folder.write_json("reelfarm.json", {{"schema", 1}, {"distilled", true}});
  EXPECT_NE(hash_of(folder.path()), first);
  fs::remove(folder.path() / "reelfarm.json");
  fs::rename(folder.path() / "vae/model.safetensors", folder.path() / "vae/diffusion_pytorch_model.safetensors");
  EXPECT_NE(hash_of(folder.path()), first);
}

TEST(BundleHash, IgnoresWhatDecidesNoBits) {
  const BundleFolder folder;
  const std::string first = hash_of(folder.path());
  write_text(folder.folder / "README.md", "hello");
  write_text(folder.folder / "vae/.cache.json", "{}");
  write_text(folder.folder / "vae/diffusion_pytorch_model.bin", "pickle");
  write_text(folder.folder / "samples/a.json", "{}");
  EXPECT_EQ(hash_of(folder.path()), first);
}

TEST(BundleHash, TheCacheIsUsedAndAChangeOfTheFileIsStillSeen) {
  const BundleFolder folder;
  const TemporaryFolder place;
  const fs::path cache = place / "a/b/sha256.json";
  const std::string first = hash_of(folder.path(), cache);
  EXPECT_FALSE(fs::exists(cache)) << "files that were written just now may change within one tick of the clock";

  // A file is old once its change time is 2 seconds past, and nothing but time can set a change time: wait for it.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!fs::exists(cache) && std::chrono::steady_clock::now() < deadline) {
    ::usleep(100'000);
    EXPECT_EQ(hash_of(folder.path(), cache), first);
  }
  ASSERT_TRUE(fs::exists(cache));
  EXPECT_EQ(hash_of(folder.path(), cache), first);
  // Plant a wrong digest for every known file: if the cache is used, the hash follows it.
  std::string planted = text_of(cache);
  for (std::size_t at = planted.find("\": \""); at != std::string::npos; at = planted.find("\": \"", at + 1))
    planted.replace(at + 4, 1, planted[at + 4] == '0' ? "1" : "0");
  write_text(cache, planted);
  EXPECT_NE(hash_of(folder.path(), cache), first);

  for (const char* broken : {"", "{", "[]", R"({"schema":9})", R"({"schema":1,"digests":{"x":3}})"}) {
    write_text(cache, broken);
    EXPECT_EQ(hash_of(folder.path(), cache), first) << broken;
  }
  folder.write_weights("vae", {5, 6, 7});
  EXPECT_NE(hash_of(folder.path(), cache), first);
}

TEST(BundleHash, ACacheThatCannotBeWrittenIsNoError) {
  const BundleFolder folder;
  EXPECT_EQ(hash_of(folder.path(), "/proc/none/sha256.json"), hash_of(folder.path()));
}

}  // namespace
}  // namespace reelfarm::weights
