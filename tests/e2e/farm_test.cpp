#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "tests/e2e/farm.hpp"

namespace reelfarm::e2e {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = fs::path(REELFARM_REFERENCE_DIR) / "pipeline";
const fs::path kBundle = kReference / "latent_concat";
const std::string kPhoto = (kReference / "photo.png").string();

/// A video of four windows (17 frames each, one shared) from a real photograph.
std::string long_job(int seed, int steps = 30) {
  return "enqueue --prompt 'A cat walks on the grass' --image " + kPhoto + " --frames 60 --steps " +
         std::to_string(steps) + " --seed " + std::to_string(seed);
}

TEST(Farm, APhotographBecomesAVideoOfSeveralWindowsThatPlayersOpen) {
  Farm farm(kBundle);
  const nlohmann::json job = farm.json(long_job(7) + " --wait");
  EXPECT_EQ(job["state"], "done");
  EXPECT_EQ(job["seed"], 7);
  EXPECT_EQ(job["windows"], 4);
  EXPECT_EQ(job["frames"], 60);
  const nlohmann::json stream = probe(job["output"].get<std::string>());
  EXPECT_EQ(stream["width"], 96);
  EXPECT_EQ(stream["height"], 64);
  EXPECT_EQ(stream["nb_read_frames"], "60");
  EXPECT_EQ(stream["codec_name"], "h264");
  EXPECT_EQ(stream["color_space"], "bt709");
  EXPECT_EQ(stream["color_transfer"], "bt709");
  EXPECT_EQ(stream["color_primaries"], "bt709");
  EXPECT_EQ(stream["color_range"], "tv");

  const nlohmann::json status = farm.status(job["job"]);
  ASSERT_EQ(status["windows"].size(), 4u);
  for (const nlohmann::json& window : status["windows"]) {
    EXPECT_EQ(window["state"], "done");
    EXPECT_EQ(window["attempt"], 1);
  }
}

TEST(Farm, TheSameJobGivesTheSameBytesWhateverIsKilled) {
  Farm farm(kBundle);
  const nlohmann::json calm = farm.json(long_job(11) + " --wait");
  const std::string expected = content(calm["output"].get<std::string>());
  ASSERT_FALSE(expected.empty());

  for (const std::string& victim :
       std::vector<std::string>{"reelfarm-ranks", "reelfarm-worker", "reelfarm-coordinator", "reelfarm-stitcher"}) {
    const nlohmann::json queued = farm.json(long_job(11));
    const std::string job = queued["job"];
    ASSERT_TRUE(eventually([&] {
      const nlohmann::json status = farm.status(job);
      return status["windows"].size() == 4 && status["windows"][1]["state"] == "running";
    })) << victim;
    const auto pids = farm.processes(victim);
    ASSERT_FALSE(pids.empty()) << victim;
    for (const pid_t pid : pids) ::kill(pid, SIGKILL);
    ASSERT_TRUE(eventually([&] { return farm.status(job)["state"] == "done"; }))
        << victim << ": " << farm.status(job).dump();
    const fs::path output = farm.status(job)["output"].get<std::string>();
    EXPECT_EQ(content(output) == expected, true) << "the bytes differ after killing " << victim;
  }
}

TEST(Farm, AKilledWindowGoesOnAfterItsLastFinishedStepAndGivesTheSameBytes) {
  Farm farm(kBundle);
  // A window takes seconds: what was seen in its midst is still there when the kill comes.
  constexpr int kSteps = 400;
  const nlohmann::json calm = farm.json(long_job(11, kSteps) + " --wait");
  const std::string job = farm.json(long_job(11, kSteps))["job"];
  int reached = 0;
  ASSERT_TRUE(eventually([&] {
    const nlohmann::json status = farm.status(job);
    if (status["windows"].size() != 4 || status["windows"][1]["state"] != "running") return false;
    reached = status["windows"][1]["step"];
    return reached >= 5 && reached < kSteps / 2;
  }));
  for (const pid_t pid : farm.processes("reelfarm-ranks")) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return farm.status(job)["state"] == "done"; })) << farm.status(job).dump();
  const nlohmann::json status = farm.status(job);
  EXPECT_EQ(status["windows"][0]["attempt"], 1) << "a window that was done was rendered again";
  EXPECT_EQ(status["windows"][1]["attempt"], 2) << "the kill found nothing to disturb";
  EXPECT_EQ(content(status["output"].get<std::string>()) == content(calm["output"].get<std::string>()), true);

  const fs::path windows = farm.data() / "jobs" / job / "windows";
  int resumed_after_step = 0;
  for (const auto& entry : fs::directory_iterator(windows)) {
    const fs::path manifest = entry.path() / "manifest.json";
    if (!fs::exists(manifest)) continue;
    const nlohmann::json document = nlohmann::json::parse(content(manifest));
    if (document["window"] == 1) resumed_after_step = document["metrics"]["resumed_after_step"];
  }
  EXPECT_GE(resumed_after_step, reached);
  EXPECT_TRUE(fs::is_empty(windows / ".steps")) << "latents of published windows were kept";
}

TEST(Farm, TextAloneMakesItsFirstFrame) {
  Farm farm(kBundle);
  const nlohmann::json job =
      farm.json("enqueue --prompt 'The waves break on the rocks' --frames 17 --size 80x46 --wait");
  const nlohmann::json stream = probe(job["output"].get<std::string>());
  EXPECT_EQ(stream["width"], 80);
  EXPECT_EQ(stream["height"], 46);
  EXPECT_EQ(stream["nb_read_frames"], "17");
}

TEST(Farm, MakesTheFramesThatRenderMakesFromTheSameSeed) {
  Farm farm(kBundle);
  const std::string request = " --prompt 'The waves break on the rocks' --frames 33 --size 80x46 --seed 5 ";
  const fs::path alone = scratch("render.mp4");
  const Result render = shell("reelfarm render --bundle " + kBundle.string() + request +
                              "--device cpu --threads 1 --output " + alone.string());
  ASSERT_EQ(render.exit_code, 0) << render.err;
  const nlohmann::json job = farm.json("enqueue" + request + "--wait");
  const auto frames = [](const fs::path& file) {
    return shell("ffmpeg -v error -i " + file.string() + " -f framemd5 -").out;
  };
  const std::string expected = frames(alone);
  EXPECT_NE(expected.find("\n0, "), std::string::npos) << expected;
  EXPECT_EQ(frames(job["output"].get<std::string>()), expected);
  fs::remove(alone);
}

TEST(Farm, WhatTheBundleCannotDoIsRefusedBeforeAnythingIsQueued) {
  Farm farm(kReference / "t2v");
  for (const auto& [words, hint] :
       std::vector<std::pair<std::string, std::string>>{{"--frames 60", "one window"},
                                                        {"--frames 0", "frames"},
                                                        {"--image " + kPhoto, "image"},
                                                        {"--size 97x64", "even"},
                                                        {"--overlap 3 --frames 17", "overlap"},
                                                        {"--bundle t2w", "t2v"}}) {
    const Result refused = farm.run("enqueue --prompt 'a cat' " + words + " --json");
    EXPECT_EQ(refused.exit_code, 2) << words << refused.out << refused.err;
    EXPECT_NE((refused.out + refused.err).find(hint), std::string::npos) << words << ": " << refused.out << refused.err;
  }
  const std::string words(1500, 'x');  // no word of the vocabulary: a token for every few letters
  for (const std::string& way : {std::string("--dry-run"), std::string()}) {
    const Result refused = farm.run("enqueue --prompt '" + words + "' " + way);
    EXPECT_EQ(refused.exit_code, 2) << refused.out << refused.err;
    EXPECT_NE(refused.err.find("too long"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("tokens"), std::string::npos) << refused.err;
  }
  const Result listing = farm.run("status");
  EXPECT_EQ(listing.exit_code, 0);
  EXPECT_EQ(listing.out.find("queued"), std::string::npos) << listing.out;
}

TEST(Farm, ACancelledJobLeavesAPartialFileThatPlays) {
  Farm farm(kBundle);
  const std::string job = farm.json("enqueue --prompt 'a cat' --image " + kPhoto + " --frames 160")["job"];
  ASSERT_TRUE(eventually([&] {
    const nlohmann::json status = farm.status(job);
    return status["windows"].size() > 3 && status["windows"][1]["state"] == "done";
  }));
  EXPECT_EQ(farm.run("cancel " + job).exit_code, 0);
  ASSERT_TRUE(eventually([&] {
    const nlohmann::json status = farm.status(job);
    return status["state"] == "cancelled" && status["output"].is_string() &&
           !status["output"].get<std::string>().empty();
  })) << farm.status(job).dump();
  const std::string output = farm.status(job)["output"];
  EXPECT_NE(output.find("partial"), std::string::npos);
  EXPECT_GE(std::stoi(probe(output)["nb_read_frames"].get<std::string>()), 33);
}

}  // namespace
}  // namespace reelfarm::e2e
