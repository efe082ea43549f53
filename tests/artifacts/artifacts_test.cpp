#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/artifacts/window_artifact.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::artifacts {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Artifacts : public ::testing::Test {
 protected:
  static WindowManifest manifest() {
    WindowManifest manifest;
    manifest.job = "j1";
    manifest.window = 3;
    manifest.attempt = 2;
    manifest.nonce = "abc";
    manifest.fingerprint = "cpu";
    manifest.seed = 18446744073709551615ULL;
    manifest.first_frame = 360;
    manifest.frame_count = 121;
    manifest.width = 64;
    manifest.height = 32;
    manifest.metrics = {{"seconds", 1.5}};
    return manifest;
  }

  fs::path published(const std::string& content) {
    Staging staging(folder_ / "jobs/j1/windows", window_folder_name(3, 0, 2, "abc"));
    File::create(staging.path() / kFramesFile).write(content);
    File::create(staging.path() / kTailFile).write(std::string_view("tail"));
    return staging.publish(manifest());
  }

  std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    return names;
  }

  const test::TemporaryFolder owned_folder_;
  const fs::path folder_ = owned_folder_.path();
};

TEST_F(Artifacts, Sha256AgreesWithThePublishedVectors) {
  // FIPS 180-2, appendix B.
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string million(1'000'000, 'a');
  const std::string expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  EXPECT_EQ(sha256_of(million), expected);
  write_file_durably(folder_ / "million", million);
  EXPECT_EQ(sha256_of_file(folder_ / "million"), expected);
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
  EXPECT_EQ(hash.finish(), expected);
  hash.update(std::string_view("abc"));
  EXPECT_EQ(hash.finish(), sha256_of("abc"));
}

TEST_F(Artifacts, PublishedWindowComesBackAsWritten) {
  const fs::path place = published("frames");
  EXPECT_EQ(place, folder_ / "jobs/j1/windows/w0003_t0_a2_abc");
  WindowManifest expected = manifest();
  expected.files = {{kFramesFile, 6, sha256_of("frames")}, {kTailFile, 4, sha256_of("tail")}};
  EXPECT_EQ(open_window(place, Check::kHashes), expected);
  EXPECT_THAT(names_in(place.parent_path()), ::testing::ElementsAre("w0003_t0_a2_abc"));
}

TEST_F(Artifacts, AStagingThatIsNotPublishedLeavesNothing) {
  const fs::path parent = folder_ / "jobs/j1/windows";
  {
    Staging staging(parent, "w0000_t0_a1_x");
    File::create(staging.path() / kFramesFile).write(std::string_view("half"));
    EXPECT_FALSE(fs::exists(staging.final_path()));
  }
  EXPECT_THAT(names_in(parent), ::testing::IsEmpty());
  Staging empty(parent, "w0000_t0_a1_x");
  EXPECT_THROW(empty.publish(manifest()), ArtifactError);
}

TEST_F(Artifacts, PublishingTwiceNeverOverwrites) {
  const fs::path place = published("first");
  try {
    published("second");
    FAIL() << "the second attempt overwrote the first";
  } catch (const StorageError& error) {
    EXPECT_EQ(error.code(), std::errc::file_exists);
  }
  EXPECT_EQ(read_file(place / kFramesFile), "first");
}

TEST_F(Artifacts, DamageIsFoundAndNamed) {
  const fs::path place = published("frames");
  std::ofstream(place / kFramesFile) << "fraMes";
  EXPECT_NO_THROW(open_window(place, Check::kSizes));
  try {
    open_window(place, Check::kHashes);
    FAIL();
  } catch (const CorruptArtifact& error) {
    EXPECT_THAT(error.what(), HasSubstr("frames.mkv has sha256"));
  }
  std::ofstream(place / kFramesFile) << "fra";
  try {
    open_window(place, Check::kSizes);
    FAIL();
  } catch (const CorruptArtifact& error) {
    EXPECT_THAT(error.what(), HasSubstr("has 3 bytes, its manifest says 6"));
  }
  fs::remove(place / kFramesFile);
  EXPECT_THROW(open_window(place, Check::kSizes), StorageError);
}

TEST_F(Artifacts, BrokenManifestsAreRefused) {
  const std::string good = to_text(manifest());
  EXPECT_EQ(parse_manifest(good, "m"), manifest());
  EXPECT_THROW(parse_manifest(good.substr(0, good.size() / 2), "m"), CorruptArtifact);
  EXPECT_THROW(parse_manifest("[]", "m"), CorruptArtifact);
  nlohmann::json json = nlohmann::json::parse(good);
  json["schema"] = 2;
  EXPECT_THROW(parse_manifest(json.dump(), "m"), CorruptArtifact);
  json["schema"] = 1;
  json["files"] = {{{"name", "../../etc/passwd"}, {"size_bytes", 1}, {"sha256", ""}}};
  EXPECT_THROW(parse_manifest(json.dump(), "m"), CorruptArtifact);
}

TEST_F(Artifacts, ManifestNumbersThatDoNotFitAreNamed) {
  const nlohmann::json good = nlohmann::json::parse(to_text(manifest()));
  for (const char* field : {"window", "take", "attempt", "seed", "first_frame", "frame_count", "width", "height"}) {
    for (const char* number : {"9.7e19", "-1e30", "0.5", "\"7\""}) {
      nlohmann::json json = good;
      json[field] = nlohmann::json::parse(number);
      try {
        parse_manifest(json.dump(), "m");
        ADD_FAILURE() << field << " = " << number;
      } catch (const CorruptArtifact& error) {
        EXPECT_THAT(error.what(), HasSubstr("\"" + std::string(field) + "\" = "));
      }
    }
  }
}

TEST_F(Artifacts, AFullDiskNamesPathBytesAndTheSystemsWords) {
  File full = File::create("/dev/full");
  try {
    full.write(std::string(4096, 'x'));
    FAIL();
  } catch (const StorageError& error) {
    EXPECT_TRUE(error.no_space());
    EXPECT_FALSE(error.not_writable());
    EXPECT_EQ(error.path(), "/dev/full");
    EXPECT_EQ(error.bytes(), 4096u);
    EXPECT_THAT(error.what(), HasSubstr("cannot write /dev/full (4096 bytes): No space left on device"));
  }
}

TEST_F(Artifacts, AFolderThatCannotBeWrittenSaysSo) {
  std::ofstream(folder_ / "plain") << "x";
  try {
    Staging staging(folder_ / "plain" / "windows", "w");
    FAIL();
  } catch (const StorageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot create folder"));
    EXPECT_THAT(error.what(), HasSubstr("Not a directory"));
  }
  EXPECT_THROW(write_file_durably(folder_ / "absent" / "f", "x"), StorageError);
  const StorageError denied("create", "/data/x", 0, EACCES);
  EXPECT_TRUE(denied.not_writable());
  EXPECT_THAT(denied.what(), HasSubstr("check owner and mode"));
}

TEST_F(Artifacts, DurableWriteReplacesAndLeavesNoTemporary) {
  write_file_durably(folder_ / "f", "one");
  write_file_durably(folder_ / "f", "two");
  EXPECT_EQ(read_file(folder_ / "f"), "two");
  EXPECT_THAT(names_in(folder_), ::testing::ElementsAre("f"));
  EXPECT_THROW(read_file(folder_ / "f", 2), ArtifactError);
}

}  // namespace
}  // namespace reelfarm::artifacts
