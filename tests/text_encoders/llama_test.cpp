#include "pipeline/text_encoders/llama.hpp"

#include "pipeline/weights/config.hpp"
#include "tests/text_encoders/reference.hpp"

namespace reelfarm::text_encoders {
namespace {

constexpr std::int64_t kPaddedLength = 40;

LlamaConfig config_of(const nlohmann::json& json) {
  return LlamaConfig::parse(weights::Config("config.json", json));
}

nn::ParameterReader model_of(const ReferenceCase& reference, at::ScalarType dtype = at::kFloat) {
  const nn::ParameterReader reader = reference.model(dtype);
  return reader.has("embed_tokens.weight") ? reader : reader.scope("model");
}

class LlamaAgainstTransformers : public testing::TestWithParam<const char*> {
 protected:
  ReferenceCase reference{std::string("llama_") + GetParam()};
  LlamaConfig config = config_of(reference.json());
};

TEST_P(LlamaAgainstTransformers, EveryHiddenStateAgreesInFp32WhatStandsBeforePadding) {
  const Llama llama(model_of(reference), config, 0);
  const at::Tensor embeddings = llama.embed(reference.ids());
  for (std::int64_t skip = 0; skip <= config.num_layers; ++skip) {
    EXPECT_TRUE(close(llama.hidden_states(embeddings, skip, kPaddedLength),
                      reference.tensor("skip" + std::to_string(skip)), kFloatTolerance))
        << "skip " << skip;
  }
}

TEST_P(LlamaAgainstTransformers, HiddenStatesAgreeInBf16) {
  const Llama llama(model_of(reference, at::kBFloat16), config, 0);
  const at::Tensor embeddings = llama.embed(reference.ids());
  for (const std::int64_t skip : {0, 2}) {
    EXPECT_TRUE(close(llama.hidden_states(embeddings, skip, kPaddedLength),
                      reference.tensor("bf16_skip" + std::to_string(skip)), kHalfTolerance))
        << "skip " << skip;
  }
}

TEST_P(LlamaAgainstTransformers, RopeTableAgrees) {
  const auto [cos, sin] = rope_table(config.rope, config.head_dim, kPaddedLength, kPaddedLength, at::kFloat);
  EXPECT_TRUE(close(cos, reference.tensor("cos"), 1e-6));
  EXPECT_TRUE(close(sin, reference.tensor("sin"), 1e-6));
}

INSTANTIATE_TEST_SUITE_P(Cases, LlamaAgainstTransformers,
                         testing::Values("gqa", "biased", "linear", "dynamic", "llama3", "version4"),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST(Llama, LoadsOnlyTheLayersThatAreRun) {
  const ReferenceCase reference("llama_gqa");
  auto source = weights::TensorSource::open(reference.folder() / "model.safetensors");
  const nn::ParameterReader reader(source, {});
  const Llama llama(reader, config_of(reference.json()), 2);
  EXPECT_NO_THROW(reader.expect_all_read());
  const at::Tensor embeddings = llama.embed(reference.ids());
  EXPECT_TRUE(close(llama.hidden_states(embeddings, 2), reference.tensor("skip2"), kFloatTolerance));
  EXPECT_THROW(llama.hidden_states(embeddings, 1), std::invalid_argument);
}

TEST(Llama, StreamedLayersGiveTheSameBits) {
  const ReferenceCase reference("llama_gqa");
  auto source = weights::TensorSource::open(reference.folder() / "model.safetensors");
  const LlamaConfig config = config_of(reference.json());
  const auto states = [&](std::int64_t resident) {
    nn::Placement placement;
    placement.resident_layers = resident;
    const Llama llama(nn::ParameterReader(source, placement), config, 0);
    const at::Tensor embeddings = llama.embed(reference.ids());
    return at::stack({llama.hidden_states(embeddings, 2), llama.hidden_states(embeddings, 0)});
  };
  const at::Tensor expected = states(nn::kAllLayers);
  for (std::int64_t resident = 0; resident < config.num_layers; ++resident) {
    EXPECT_TRUE(at::equal(states(resident), expected)) << resident;
  }
}

TEST(Llama, RowsDoNotDependOnWhatFollowsThem) {
  const ReferenceCase reference("llama_gqa");
  const Llama llama(reference.model(), config_of(reference.json()), 0);
  std::vector<std::int64_t> ids = reference.ids();
  ids.resize(12);
  EXPECT_TRUE(close(llama.hidden_states(llama.embed(ids), 1), reference.tensor("skip1").slice(1, 0, 12), 1e-5));
}

TEST(Llama, RefusesATokenOutsideItsVocabulary) {
  const ReferenceCase reference("llama_gqa");
  const Llama llama(reference.model(), config_of(reference.json()), 2);
  EXPECT_THROW(llama.embed(std::vector<std::int64_t>{1, 97}), weights::WeightError);
  EXPECT_THROW(llama.embed(std::vector<std::int64_t>{-1}), weights::WeightError);
}

TEST(Llama, ConfigErrorsNameTheField) {
  const auto message = [](const nlohmann::json& json) -> std::string {
    try {
      config_of(json);
    } catch (const weights::WeightError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message({{"hidden_size", "48"}}),
              testing::HasSubstr("config.json: \"hidden_size\": expected an integer"));
  EXPECT_THAT(message({{"hidden_size", 0}}), testing::HasSubstr("expected at least 1, found 0"));
  EXPECT_THAT(message({{"rms_norm_eps", -1.0}}), testing::HasSubstr("expected a number above 0"));
  EXPECT_THAT(message({{"num_attention_heads", 6}, {"num_key_value_heads", 4}}),
              testing::HasSubstr("expected a divisor of num_attention_heads = 6, found 4"));
  EXPECT_THAT(message({{"head_dim", 7}}), testing::HasSubstr("\"head_dim\": expected an even number"));
  EXPECT_THAT(message({{"hidden_act", "mish"}}), testing::HasSubstr("'mish' is unknown"));
  EXPECT_THAT(message({{"model_type", "mistral"}}), testing::HasSubstr("found \"mistral\""));
  EXPECT_THAT(message({{"rope_scaling", {{"type", "llama3"}, {"factor", 2.0}}}}),
              testing::HasSubstr("\"rope_scaling.low_freq_factor\": is missing"));
  EXPECT_THAT(message({{"rope_parameters", {{"rope_type", "yarn"}, {"factor", 2.0}}}}),
              testing::HasSubstr("\"rope_parameters.rope_type\": expected default, linear, dynamic or llama3"));
  EXPECT_THAT(message({{"rope_parameters", {{"rope_type", "linear"}}}}), testing::HasSubstr("is missing"));
}

TEST(Llama, AWrongShapeNamesTensorAndShapes) {
  const ReferenceCase reference("llama_gqa");
  nlohmann::json json = reference.json();
  json["intermediate_size"] = 57;
  try {
    const Llama llama(reference.model(), config_of(json), 0);
    FAIL() << "accepted";
  } catch (const weights::WeightError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("layers.0.mlp.gate_proj.weight"));
    EXPECT_THAT(error.what(), testing::HasSubstr("[57, 48]"));
  }
}

}  // namespace
}  // namespace reelfarm::text_encoders
