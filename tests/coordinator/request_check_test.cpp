#include "coordinator/request_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "coordinator/near_match.hpp"
#include "coordinator/output_template.hpp"
#include "tests/coordinator/farm_fixture.hpp"

namespace reelfarm::coordinator {
namespace {

using testing::HasSubstr;
using Limits = queue::BundleLimits;
using Spec = queue::JobSpec;

Spec sample_request() {
  Spec spec;
  spec.prompt = "a red kite over a lake";
  spec.seed = 1;
  return spec;
}

std::string refusal(const Spec& spec, const Limits& limits = test::sample_bundle()) {
  try {
    complete(spec, limits);
  } catch (const Rejected& error) {
    return error.what();
  }
  return "accepted";
}

struct BadRequest {
  std::string name;
  std::function<void(Spec&)> change;
  std::string words;  ///< that the message must hold: the thing and its value
};

class BadRequests : public testing::TestWithParam<BadRequest> {};

TEST_P(BadRequests, AreRefusedWithTheThingNamed) {
  Spec spec = sample_request();
  GetParam().change(spec);
  EXPECT_THAT(refusal(spec), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadRequests,
    testing::Values(
        BadRequest{"EmptyPrompt", [](Spec& s) { s.prompt = ""; }, "prompt is empty"},
        BadRequest{"BlankPrompt", [](Spec& s) { s.prompt = " \n\t\xe3\x80\x80"; }, "prompt is empty"},
        BadRequest{"LongPrompt", [](Spec& s) { s.prompt = std::string(5001, 'x'); }, "5001 characters: at most 5000"},
        BadRequest{"VeryLongPrompt", [](Spec& s) { s.prompt = std::string(10001, 'x'); }, "at most 10000"},
        BadRequest{"NotUtf8", [](Spec& s) { s.prompt = "caf\xe9 by night"; }, "not UTF-8: byte 0xe9 at position 3"},
        BadRequest{"OverlongUtf8", [](Spec& s) { s.prompt = "a\xc0\x80"; }, "byte 0xc0 at position 1"},
        BadRequest{"Surrogate", [](Spec& s) { s.prompt = "a\xed\xa0\x80"; }, "byte 0xed at position 1"},
        BadRequest{"ControlCharacter", [](Spec& s) { s.prompt = "a\x07"; }, "U+0007"},
        BadRequest{"NulInName", [](Spec& s) { s.name = std::string("a\0b", 3); }, "the name has the control"},
        BadRequest{"FramesZero", [](Spec& s) { s.frames = 0; }, "frames is 0"},
        BadRequest{"FramesNegative", [](Spec& s) { s.frames = -5; }, "frames is -5"},
        BadRequest{"FramesTooMany", [](Spec& s) { s.frames = 1'000'001; }, "frames is 1000001"},
        BadRequest{"SecondsNan", [](Spec& s) { s.seconds = std::nan(""); }, "seconds is nan"},
        BadRequest{"SecondsInfinite", [](Spec& s) { s.seconds = std::numeric_limits<double>::infinity(); },
                   "seconds is inf"},
        BadRequest{"SecondsNegative", [](Spec& s) { s.seconds = -1.0; }, "seconds is -1"},
        BadRequest{"Both",
                   [](Spec& s) {
                     s.frames = 5;
                     s.seconds = 1.0;
                   },
                   "both frames and seconds"},
        BadRequest{"OddSize",
                   [](Spec& s) {
                     s.width = 65;
                     s.height = 48;
                   },
                   "65x48: both sides must be even"},
        BadRequest{"HugeSize",
                   [](Spec& s) {
                     s.width = 100000;
                     s.height = 48;
                   },
                   "100000x48"},
        BadRequest{"OverBundleSize",
                   [](Spec& s) {
                     s.width = 1920;
                     s.height = 1080;
                   },
                   "makes at most 1280x1280"},
        BadRequest{"HalfSize", [](Spec& s) { s.width = 64; }, "only one of width and height"},
        BadRequest{"StepsZero", [](Spec& s) { s.steps = 0; }, "steps is 0"},
        BadRequest{"ParentNoJob", [](Spec& s) { s.parent = "first"; }, "parent is 'first'"},
        BadRequest{"WindowOfNoParent", [](Spec& s) { s.from_window = 1; }, "from_window is 1"},
        BadRequest{"WindowBelowZero",
                   [](Spec& s) {
                     s.parent = "j000000000000";
                     s.from_window = -1;
                   },
                   "from_window is -1"},
        BadRequest{"StepsOverBundle", [](Spec& s) { s.steps = 51; }, "takes at most 50"},
        BadRequest{"GuidanceNan", [](Spec& s) { s.guidance = std::nan(""); }, "guidance is nan"},
        BadRequest{"ShiftZero", [](Spec& s) { s.shift = 0.0; }, "shift is 0"},
        BadRequest{"WindowOffGrid", [](Spec& s) { s.window_frames = 16; }, "window is 16 frames: must be 4k+1"},
        BadRequest{"OverlapOffGrid",
                   [](Spec& s) {
                     s.frames = 60;
                     s.overlap_frames = 3;
                   },
                   "overlap is 3"},
        BadRequest{"OverlapTooLong",
                   [](Spec& s) {
                     s.frames = 60;
                     s.overlap_frames = 9;
                   },
                   "overlap is 9 frames: at most 5"},
        BadRequest{"OverlapUnknownToBundle",
                   [](Spec& s) {
                     s.frames = 100;
                     s.window_frames = 33;
                     s.overlap_frames = 9;
                   },
                   "was made for 1, 5"},
        BadRequest{"TooManyWindows", [](Spec& s) { s.frames = 200'000; }, "windows: at most 5000"},
        BadRequest{"Dtype", [](Spec& s) { s.dtype = "bf61"; }, "did you mean 'bf16'"},
        BadRequest{"DtypeThatNothingCalculatesIn", [](Spec& s) { s.dtype = "fp16"; }, "dtype 'fp16' is unknown"},
        BadRequest{"Mode", [](Spec& s) { s.mode = "keyframe"; }, "not in this version"},
        BadRequest{"Priority", [](Spec& s) { s.priority = 101; }, "priority is 101"},
        BadRequest{"After", [](Spec& s) { s.after = "../x"; }, "not a job id"},
        BadRequest{"OutputRelative", [](Spec& s) { s.output = "x.mp4"; }, "not an absolute path"},
        BadRequest{"OutputClimbs", [](Spec& s) { s.output = "/a/../x.mp4"; }, "'..'"},
        BadRequest{"OutputWord", [](Spec& s) { s.output = "/a/{sed}.mp4"; }, "did you mean 'seed'"},
        BadRequest{"OutputKind", [](Spec& s) { s.output = "/a/x.avi"; }, "must end in .mp4"},
        BadRequest{"ImageHash",
                   [](Spec& s) {
                     s.image = queue::ImageInput{"../../etc/passwd", "png", ""};
                   },
                   "not a SHA-256"}),
    [](const auto& param) { return param.param.name; });

TEST(RequestCheck, DefaultsComeFromTheBundle) {
  const Spec spec = complete(sample_request(), test::sample_bundle()).spec;
  EXPECT_EQ(spec.frames, 17);
  EXPECT_EQ(spec.width, 64);
  EXPECT_EQ(spec.height, 48);
  EXPECT_EQ(spec.steps, 4);
  EXPECT_EQ(spec.shift, 5);
  EXPECT_EQ(spec.guidance, 1);
  EXPECT_EQ(spec.window_frames, 17);
  EXPECT_EQ(spec.overlap_frames, 1);
  EXPECT_EQ(spec.bundle, "sample");
  EXPECT_EQ(spec.bundle_hash, std::string(64, 'a'));
  EXPECT_EQ(spec.dtype, "auto");
}

TEST(RequestCheck, SecondsBecomeFramesAtTheBundlesRate) {
  Spec spec = sample_request();
  spec.seconds = 5.0;
  EXPECT_EQ(complete(spec, test::sample_bundle()).spec.frames, 120);
}

TEST(RequestCheck, LineBreaksAndEveryScriptAreFineInAPrompt) {
  Spec spec = sample_request();
  spec.prompt = "ein Drache\nüber dem See, 湖の上の凧, \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80";
  EXPECT_EQ(refusal(spec), "accepted");
}

TEST(RequestCheck, WithoutT2iAnImageIsNeeded) {
  Limits limits = test::sample_bundle();
  limits.has_t2i = false;
  EXPECT_THAT(refusal(sample_request(), limits), HasSubstr("give --image"));
  Spec spec = sample_request();
  spec.image = queue::ImageInput{std::string(64, 'b'), "png", ""};
  EXPECT_EQ(refusal(spec, limits), "accepted");
}

TEST(RequestCheck, ATextOnlyBundleRendersOneWindowAndTakesNoImage) {
  Limits limits = test::sample_bundle();
  limits.has_t2i = false;
  limits.needs_image = false;
  limits.single_window_only = true;
  limits.conditions.clear();
  Spec spec = sample_request();
  EXPECT_EQ(refusal(spec, limits), "accepted");
  spec.frames = 18;
  EXPECT_THAT(refusal(spec, limits), HasSubstr("18 frames need 2 windows; ask for at most 17 frames"));
  spec.frames = 17;
  spec.image = queue::ImageInput{std::string(64, 'b'), "png", ""};
  EXPECT_THAT(refusal(spec, limits), HasSubstr("cannot start from an image"));
}

TEST(RequestCheck, FewStepsOnAnUndistilledBundleGetAWarning) {
  Limits limits = test::sample_bundle();
  EXPECT_TRUE(complete(sample_request(), limits).warnings.empty());
  limits.distilled = false;
  limits.default_steps = 50;
  EXPECT_TRUE(complete(sample_request(), limits).warnings.empty());
  Spec spec = sample_request();
  spec.steps = 4;
  EXPECT_THAT(complete(spec, limits).warnings, testing::ElementsAre(HasSubstr("wants 50")));
}

TEST(ChooseBundle, SaysWhichOnesThereAre) {
  KnownBundles known;
  Spec spec = sample_request();
  EXPECT_THROW(choose_bundle(spec, known), NoBundleYet);
  known.registered = {test::sample_bundle(), test::sample_bundle()};
  known.registered[1].name = "magic-i2v";
  known.registered[1].hash = std::string(64, 'c');
  try {
    choose_bundle(spec, known);
    FAIL() << "two bundles to choose from, and none was asked for";
  } catch (const Rejected& error) {
    EXPECT_THAT(error.what(), HasSubstr("known: magic-i2v, sample"));
  }
  known.live[std::string(64, 'c')] = {"fp32"};
  EXPECT_EQ(choose_bundle(spec, known).name, "magic-i2v");
  spec.bundle = "sample";
  EXPECT_EQ(choose_bundle(spec, known).name, "sample");
  EXPECT_THAT(lacking_group(spec, known.registered[0], known).value_or(""),
              HasSubstr("no worker group has bundle sample"));
  EXPECT_FALSE(lacking_group(spec, known.registered[1], known));
  spec.dtype = "bf16";
  EXPECT_THAT(lacking_group(spec, known.registered[1], known).value_or(""), HasSubstr("in bf16 now (there: fp32)"));
  spec.dtype = "fp32";
  EXPECT_FALSE(lacking_group(spec, known.registered[1], known));
  spec.bundle = "magic-i2w";
  try {
    choose_bundle(spec, known);
    FAIL() << "an unknown bundle";
  } catch (const Rejected& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'magic-i2v'?"));
  }
}

TEST(NearMatch, FindsTypingErrorsAndNothingElse) {
  const std::vector<std::string> words = {"frames", "seconds", "steps", "seed", "size"};
  EXPECT_EQ(near_match("framse", words), "frames");
  EXPECT_EQ(near_match("step", words), "steps");
  EXPECT_EQ(near_match("secnods", words), "seconds");
  EXPECT_EQ(near_match("sec", words), "seconds");
  EXPECT_EQ(near_match("colour", words), "");
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("ab", "ba"), 1);
}

TEST(OutputTemplate, WordsAreFilledInAsSafeParts) {
  Spec spec = sample_request();
  spec.project = "a/b";
  spec.name = "../x";
  spec.seed = 42;
  EXPECT_EQ(expand_output("/out/{project}/{name}_{seed}_v{take}.mp4", "j0", spec), "/out/a_b/_._x_42_v1.mp4");
  spec.name = "";
  EXPECT_EQ(expand_output("/out/", "j0", spec), "/out/j0.mp4");
}

}  // namespace
}  // namespace reelfarm::coordinator
