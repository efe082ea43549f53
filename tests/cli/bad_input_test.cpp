#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "pipeline/video/png_writer.hpp"
#include "queue/redis_url.hpp"
#include "tests/cli/command_line.hpp"

namespace reelfarm {
namespace {

using nlohmann::json;
using test::CommandLine;
using test::Ended;
using testing::HasSubstr;
using testing::Not;

/// One farm for all cases: real Redis and coordinator, doubles of worker and stitcher.
class BadInput : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    line_ = new CommandLine();
    std::filesystem::create_directories(line_->path("weights"));
    const Ended up = line_->run({"up", "--detach", "--data", data(), "--bundle", line_->path("weights").string()});
    ASSERT_EQ(up.code, 0) << up.errors;
    video::write_png(video::Image(64, 48), line_->path("good.png"));
    const std::string good = read(line_->path("good.png"));
    line_->write("truncated.png", good.substr(0, good.size() / 2));
    line_->write("text.png", "this is no picture at all, only words in a file");
    line_->write("empty.png", "");
    video::write_png(video::Image(1, 1), line_->path("tiny.png"));
    // Width and height stand at bytes 16 and 20, big end first: 20000 each, 400 megapixels.
    std::string huge = good;
    huge.replace(16, 8, std::string("\x00\x00\x4e\x20\x00\x00\x4e\x20", 8));
    line_->write("huge.png", huge);
  }
  static void TearDownTestSuite() {
    line_->run({"down", "--now", "--data", data()});
    delete line_;
  }
  static std::string data() { return line_->path("data").string(); }
  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  static std::vector<std::string> enqueue(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"enqueue", "--data", data()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static std::size_t count_jobs() {
    const Ended status = line_->run({"status", "--data", data(), "--limit", "0", "--json"});
    EXPECT_EQ(status.code, 0) << status.errors;
    return static_cast<std::size_t>(std::count(status.output.begin(), status.output.end(), '\n'));
  }
  static std::size_t count_inputs() {
    const std::filesystem::directory_iterator files(std::filesystem::path(data()) / "inputs");
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }
  /// Refused with exit 2 and these words, and nothing has come into the farm.
  static void expect_refused(const std::vector<std::string>& words, const std::string& message) {
    const std::size_t jobs = count_jobs();
    const std::size_t inputs = count_inputs();
    const Ended ended = line_->run(enqueue(words));
    EXPECT_EQ(ended.code, 2) << ended.errors;
    EXPECT_THAT(ended.errors, HasSubstr(message));
    EXPECT_EQ(ended.output, "");
    EXPECT_EQ(count_jobs(), jobs);
    EXPECT_EQ(count_inputs(), inputs);
  }
  static CommandLine* line_;
};

CommandLine* BadInput::line_ = nullptr;

struct Case {
  std::string name;
  std::vector<std::string> words;
  std::string message;
};

class BadOptions : public BadInput, public testing::WithParamInterface<Case> {};

TEST_P(BadOptions, AreRefusedWithExitCode2AndNothingIsQueued) {
  expect_refused(GetParam().words, GetParam().message);
}

std::vector<Case> cases() {
  const auto with = [](std::vector<std::string> more) {
    std::vector<std::string> words = {"--prompt", "a kite"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  return {
      {"NoPrompt", {}, "--prompt is missing"},
      {"EmptyPrompt", {"--prompt", ""}, "the prompt is empty"},
      {"BlankPrompt", {"--prompt", " \n "}, "the prompt is empty"},
      {"LongPrompt", {"--prompt", std::string(20'000, 'x')}, "20000 characters: at most"},
      {"PromptNotUtf8", {"--prompt", "caf\xe9"}, "not UTF-8: byte 0xe9 at position 3"},
      {"FramesZero", with({"--frames", "0"}), "frames is 0"},
      {"FramesNegative", with({"--frames", "-3"}), "frames is -3"},
      {"FramesWord", with({"--frames", "many"}), "--frames is 'many'"},
      {"FramesFraction", with({"--frames", "1.5"}), "--frames is '1.5'"},
      {"FramesOverflow", with({"--frames", "99999999999999999999"}), "--frames is '99999999999999999999'"},
      {"SecondsNan", with({"--seconds", "nan"}), "seconds is nan"},
      {"SecondsInfinite", with({"--seconds", "inf"}), "seconds is inf"},
      {"SecondsNegative", with({"--seconds", "-1"}), "seconds is -1"},
      {"SecondsAndFrames", with({"--seconds", "1", "--frames", "5"}), "both frames and seconds"},
      {"SizeOdd", with({"--size", "65x48"}), "65x48: both sides must be even"},
      {"SizeAbsurd", with({"--size", "1000000x48"}), "1000000x48"},
      {"SizeZero", with({"--size", "0x0"}), "0x0"},
      {"SizeWord", with({"--size", "big"}), "size 'big' cannot be read"},
      {"SizeNegative", with({"--size", "-64x48"}), "-64x48"},
      {"WindowOffGrid", with({"--window", "16"}), "window is 16 frames: must be 4k+1"},
      {"WindowOne", with({"--window", "1"}), "window is 1 frame"},
      {"OverlapOffGrid", with({"--frames", "60", "--overlap", "2"}), "overlap is 2 frames"},
      {"OverlapZero", with({"--frames", "60", "--overlap", "0"}), "overlap is 0 frames"},
      {"OverlapTooLong", with({"--frames", "60", "--overlap", "13"}), "overlap is 13 frames: at most 5"},
      {"Steps", with({"--steps", "0"}), "steps is 0"},
      {"SeedNegative", with({"--seed", "-1"}), "--seed is '-1'"},
      {"Variants", with({"--variants", "0"}), "--variants is '0'"},
      {"Priority", with({"--priority", "101"}), "--priority is '101'"},
      {"Keep", with({"--keep", "finall"}), "did you mean 'final'?"},
      {"ImageFit", with({"--image-fit", "strech"}), "did you mean 'stretch'?"},
      {"Dtype", with({"--dtype", "bf61"}), "did you mean 'bf16'?"},
      {"After", with({"--after", "j000000000000"}), "there is no such job"},
      {"Bundle", with({"--bundle", "duoble"}), "did you mean 'double'?"},
      {"OutputKind", with({"--output", "x.gif"}), "must end in .mp4"},
      {"OutputWord", with({"--output", "{nane}.mp4"}), "did you mean 'name'?"},
      {"UnknownOption", with({"--framse", "5"}), "did you mean '--frames'?"},
      {"UnknownOptionFarFromAll", with({"--colour", "5"}), "unknown option '--colour'"},
      {"OptionTwice", with({"--frames", "5", "--frames", "9"}), "--frames is given twice"},
      {"OptionWithoutValue", with({"--frames"}), "--frames"},
      {"StrayWord", with({"kite"}), "unexpected 'kite'"},
      {"Storyboard", with({"--storyboard", "x.json"}), "not in this version"},
      {"Lora", with({"--lora", "x"}), "not in this version"},
      {"HoldAfter", with({"--hold-after", "1"}), "not in this version"},
      {"Mode", with({"--mode", "codenoise"}), "not in this version"},
      {"ImageMissing", with({"--image", "nothing.png"}), "nothing.png does not exist"},
      {"ImageFolder", with({"--image", "weights"}), "weights is not a file"},
      {"ImageTruncated", with({"--image", "truncated.png"}), "truncated.png"},
      {"ImageText", with({"--image", "text.png"}), "text.png"},
      {"ImageEmpty", with({"--image", "empty.png"}), "empty.png"},
      {"ImageTiny", with({"--image", "tiny.png"}), "1x1"},
      {"ImageHuge", with({"--image", "huge.png"}), "at most 100 megapixels"},
      {"NoSuchFile", {"--file", "nothing.jsonl"}, "cannot read the job file nothing.jsonl"},
  };
}

INSTANTIATE_TEST_SUITE_P(All, BadOptions, testing::ValuesIn(cases()),
                         [](const auto& param) { return param.param.name; });

class BadLines : public BadInput, public testing::WithParamInterface<Case> {};

/// The middle one of three lines is bad.
TEST_P(BadLines, OfAFileKeepAllOthersOutAndAreNamedByNumber) {
  const std::string good = R"({"prompt": "a kite", "frames": 5})";
  line_->write("jobs.jsonl", good + "\n\n" + GetParam().words[0] + "\n" + good + "\n");
  expect_refused({"--file", "jobs.jsonl"}, "line 3 of jobs.jsonl: " + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadLines,
    testing::Values(Case{"NotJson", {R"({"prompt": "a kite")"}, "not JSON"},
                    Case{"NotAnObject", {R"(["a kite"])"}, "not a JSON object"},
                    Case{"UnknownKey", {R"({"promt": "a kite"})"}, "unknown key 'promt'; did you mean 'prompt'?"},
                    Case{"NoPrompt", {R"({"frames": 5})"}, "prompt is missing"},
                    Case{"EmptyPrompt", {R"({"prompt": ""})"}, "the prompt is empty"},
                    Case{"NotUtf8", {"{\"prompt\": \"caf\xe9\"}"}, "not JSON"},
                    Case{"Frames", {R"({"prompt": "x", "frames": 0})"}, "frames is 0"},
                    Case{"FramesText", {R"({"prompt": "x", "frames": "ten"})"}, "frames is 'ten'"},
                    Case{"FramesObject", {R"({"prompt": "x", "frames": {}})"}, "frames is {}"},
                    Case{"Nan", {R"({"prompt": "x", "seconds": NaN})"}, "not JSON"},
                    Case{"Size", {R"({"prompt": "x", "size": "65x48"})"}, "size 65x48"},
                    Case{"Image", {R"({"prompt": "x", "image": "text.png"})"}, ""},
                    Case{"Bundle", {R"({"prompt": "x", "bundle": "duoble"})"}, "bundle 'duoble'"}),
    [](const auto& param) { return param.param.name; });

TEST_F(BadInput, AnUnknownCommandNamesTheNearOne) {
  const Ended ended = line_->run({"enqeue", "--prompt", "x"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("did you mean 'enqueue'?"));
  EXPECT_EQ(line_->run({}).code, 2);
}

TEST_F(BadInput, AnUnknownJobIsNamed) {
  for (const char* command :
       {"status", "show", "watch", "logs", "why", "cancel", "pause", "resume", "retry", "resubmit", "takes", "rm"}) {
    for (const char* job : {"j000000000000", "../etc"}) {
      const Ended ended = line_->run({command, "--data", data(), job});
      EXPECT_EQ(ended.code, 2) << command;
      EXPECT_THAT(ended.errors, HasSubstr(job)) << command;
    }
  }
}

TEST_F(BadInput, WithoutTheImageProgramTheMessageNamesIt) {
  std::filesystem::rename(line_->path("bin/reelfarm-image"), line_->path("bin/away"));
  expect_refused({"--prompt", "x", "--image", "good.png"}, "reelfarm-image is not installed");
  std::filesystem::rename(line_->path("bin/away"), line_->path("bin/reelfarm-image"));
}

TEST_F(BadInput, AnImageForADataFolderThatIsNotTheFarmsIsRefused) {
  const json farm = json::parse(read(std::filesystem::path(data()) / "farm.json"));
  const std::string redis = farm.at("redis").get<std::string>();
  const std::size_t jobs = count_jobs();
  const Ended ended = line_->run({"enqueue", "--redis", redis, "--data", line_->path("elsewhere").string(), "--prompt",
                                  "x", "--image", "good.png"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.errors, HasSubstr("elsewhere has no marker"));
  EXPECT_EQ(count_jobs(), jobs);
  EXPECT_FALSE(std::filesystem::exists(line_->path("elsewhere")));
}

TEST_F(BadInput, SettingsFilesNameTheirUnknownKeys) {
  line_->write("bad.ini", "framse = 5\n");
  expect_refused({"--prompt", "x", "--config", "bad.ini"}, "bad.ini: unknown key 'framse'; did you mean 'frames'?");
  expect_refused({"--prompt", "x", "--config", "missing.ini"}, "cannot read the settings file missing.ini");
}

}  // namespace
}  // namespace reelfarm
