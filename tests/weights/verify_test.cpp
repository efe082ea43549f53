#include "pipeline/weights/verify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "tests/weights/saved_bundle.hpp"

namespace reelfarm::weights {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SavedBundle;
using Tensors = SavedBundle::Tensors;

template <typename Word>
BadValues bad_values(DType dtype, const std::vector<Word>& words) {
  // One byte off: tensor data need not be aligned.
  std::vector<std::byte> bytes(1 + words.size() * sizeof(Word));
  std::memcpy(bytes.data() + 1, words.data(), words.size() * sizeof(Word));
  return find_bad_values({"w", dtype, {static_cast<std::int64_t>(words.size())}, std::span(bytes).subspan(1), "f"});
}

TEST(FindBadValues, KnowsInfinityAndNanOfEveryType) {
  const auto expect = [](const BadValues& bad, std::uint64_t count, std::uint64_t first) {
    EXPECT_EQ(bad.count, count);
    EXPECT_EQ(bad.first_index, first);
  };
  expect(bad_values<double>(DType::f64, {1, -std::numeric_limits<double>::infinity(), 2}), 1, 1);
  std::vector<float> many(10000, std::numeric_limits<float>::max());
  expect(bad_values(DType::f32, many), 0, 0);
  many[9000] = std::numeric_limits<float>::quiet_NaN();
  many[9999] = std::numeric_limits<float>::infinity();
  expect(bad_values(DType::f32, many), 2, 9000);
  expect(bad_values<std::uint16_t>(DType::f16, {0x7BFF, 0xFBFF, 0x7C00, 0xFC01}), 2, 2);
  expect(bad_values<std::uint16_t>(DType::bf16, {0x7F7F, 0xFF7F, 0xFF80, 0x7FC0}), 2, 2);
  expect(bad_values<std::uint8_t>(DType::f8_e4m3, {0x7E, 0xFE, 0x7F, 0xFF}), 2, 2);
  expect(bad_values<std::uint8_t>(DType::f8_e5m2, {0x7B, 0xFB, 0x7C, 0xFF}), 2, 2);
  expect(bad_values<std::uint8_t>(DType::boolean, {0, 1, 2}), 1, 2);
  expect(bad_values<std::int8_t>(DType::i8, {-128, 127}), 0, 0);
}

TEST(FindBadValues, AgreesWithIsfiniteOnEveryHalfAndBrain) {
  // Every bf16 value is the upper half of a float, so the float says whether it is finite.
  std::uint64_t bad = 0;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    const std::uint32_t word = upper << 16;
    float value;
    std::memcpy(&value, &word, sizeof value);
    const bool finite = std::isfinite(value);
    EXPECT_EQ(bad_values<std::uint16_t>(DType::bf16, {static_cast<std::uint16_t>(upper)}).count, finite ? 0u : 1u);
    bad += finite ? 0 : 1;
  }
  EXPECT_EQ(bad, 256u);
}

class WholeBundles : public ::testing::TestWithParam<const char*> {};

TEST_P(WholeBundles, HaveExactlyTheTensorsOfTheirConfiguration) {
  const SavedBundle saved(GetParam());
  const Bundle bundle = Bundle::open(saved.path());
  std::vector<std::string> parts;
  const Verification result = verify(bundle, [&](const std::string& part, std::uint64_t) { parts.push_back(part); });
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_THAT(parts, ElementsAre("text_encoder", "text_encoder_2", "transformer", "vae"));
  std::uint64_t bytes = 0;
  for (const std::string& part : parts) bytes += bundle.tensors(part)->total_bytes();
  EXPECT_EQ(result.bytes, bytes);
  EXPECT_GT(result.tensors, 300u);
}

TEST_P(WholeBundles, MissWhicheverTensorIsTakenAway) {
  for (const char* part : {"transformer", "vae"}) {
    const SavedBundle saved(GetParam());
    std::vector<std::string> names = Bundle::open(saved.path()).tensors(part)->names();
    std::mt19937 random(7);
    std::shuffle(names.begin(), names.end(), random);
    names.resize(12);
    // One after the other, so that each rewrite must add exactly one line.
    for (std::size_t taken = 0; taken < names.size(); ++taken) {
      saved.rewrite(part, [&](Tensors& tensors) { tensors.erase(names[taken]); });
      const auto wrong = wrong_tensors(Bundle::open(saved.path()), part);
      EXPECT_EQ(wrong.size(), taken + 1) << names[taken];
      EXPECT_THAT(wrong, ::testing::Contains(HasSubstr("\"" + names[taken] + "\" is missing")));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, WholeBundles, ::testing::Values("t2v", "latent_concat", "token_replace"));

TEST(Verify, NamesWrongShapesUnknownTensorsAndBadNumbers) {
  const SavedBundle saved("latent_concat");
  saved.rewrite("transformer", [](Tensors& tensors) {
    tensors["proj_out.weight"].shape = {32, 16};
    tensors["transformer_blocks.7.attn.to_q.weight"] = tensors["transformer_blocks.0.attn.to_q.weight"];
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(tensors["x_embedder.proj.bias"].bytes.data() + 8, &nan, 4);
  });
  saved.rewrite("text_encoder", [](Tensors& tensors) {
    for (auto it = tensors.begin(); it != tensors.end(); ++it)
      if (it->first.ends_with("layers.1.mlp.up_proj.weight")) {
        tensors.erase(it);
        break;
      }
  });
  const auto problems = verify(Bundle::open(saved.path())).problems;
  ASSERT_EQ(problems.size(), 4u);
  EXPECT_THAT(problems[0], AllOf(HasSubstr("text_encoder"), HasSubstr("layers.1.mlp.up_proj.weight\" is missing")));
  EXPECT_THAT(problems[1], AllOf(HasSubstr("\"proj_out.weight\""), HasSubstr("expected shape [16,32], found [32,16]")));
  EXPECT_THAT(problems[2], AllOf(HasSubstr("transformer_blocks.7"), HasSubstr("unknown")));
  EXPECT_THAT(problems[3], AllOf(HasSubstr("\"x_embedder.proj.bias\""), HasSubstr("1 of 32"), HasSubstr("index 2")));
}

TEST(Verify, ABrokenFileIsAProblemOfItsPart) {
  const SavedBundle saved("t2v");
  saved.rewrite("vae", [](Tensors&) {});
  const auto file = saved.path() / "vae/model.safetensors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  const auto problems = verify(Bundle::open(saved.path())).problems;
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_THAT(problems[0], AllOf(HasSubstr("vae"), HasSubstr(file.string()), HasSubstr("truncated")));
}

}  // namespace
}  // namespace reelfarm::weights
