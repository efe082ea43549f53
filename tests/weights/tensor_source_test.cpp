#include "pipeline/weights/tensor_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/weights/safetensors_writer.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;
using testing::write_text;

void write_floats(const std::filesystem::path& file, const std::vector<std::string>& names) {
  std::vector<SafetensorsWriter::Declaration> declarations;
  for (const std::string& name : names) declarations.push_back({name, DType::f32, {2}});
  SafetensorsWriter writer(file, declarations);
  const float values[2] = {1, 2};
  for (const std::string& name : names) writer.append(name, std::as_bytes(std::span(values)));
  writer.finish();
}

std::string refusal(const std::filesystem::path& path) {
  return message_of<WeightError>([&] { TensorSource::open(path); });
}

constexpr const char* kIndex = "diffusion_pytorch_model.safetensors.index.json";

TEST(TensorSource, OpensAFileOrAFolderWithEitherName) {
  const TemporaryFolder folder;
  for (const char* name : {"model.safetensors", "diffusion_pytorch_model.safetensors", "other.safetensors"}) {
    std::filesystem::remove_all(folder / "c");
    std::filesystem::create_directory(folder / "c");
    write_floats(folder / "c" / name, {"b", "a"});
    EXPECT_THAT(TensorSource::open(folder / "c")->names(), ElementsAre("a", "b")) << name;
    EXPECT_EQ(TensorSource::open(folder / "c" / name)->at("a").bytes.size(), 8u);
  }
}

TEST(TensorSource, KeepsFilesMappedAfterTheirRemoval) {
  const TemporaryFolder folder;
  write_floats(folder / "model.safetensors", {"a"});
  const auto source = TensorSource::open(folder.path());
  std::filesystem::remove(folder / "model.safetensors");
  float second = 0;
  std::memcpy(&second, source->at("a").bytes.data() + 4, 4);
  EXPECT_EQ(second, 2.0f);
}

TEST(TensorSource, MissingTensorNamesTheFileAndTheNearestNames) {
  const TemporaryFolder folder;
  write_floats(folder / "model.safetensors", {"blocks.0.attn.to_q.weight", "blocks.0.attn.to_k.weight", "norm.bias"});
  const auto source = TensorSource::open(folder.path());
  EXPECT_EQ(source->find("blocks.0.attn.to_v.weight"), nullptr);
  EXPECT_THAT(message_of<WeightError>([&] { source->at("blocks.0.attn.to_v.weight"); }),
              AllOf(HasSubstr((folder / "model.safetensors").string()), HasSubstr("\"blocks.0.attn.to_v.weight\""),
                    HasSubstr("did you mean blocks.0.attn.to_k.weight, blocks.0.attn.to_q.weight?")));
}

class ShardedSource : public ::testing::Test {
 protected:
  ShardedSource() {
    write_floats(folder_ / "m-1.safetensors", {"a", "b"});
    write_floats(folder_ / "m-2.safetensors", {"c"});
  }
  void write_index(const std::string& map) {
    write_text(folder_ / kIndex, R"({"metadata":{"total_size":24},"weight_map":)" + map + "}");
  }
  TemporaryFolder folder_;
};

TEST_F(ShardedSource, JoinsTheShardsOfTheIndex) {
  write_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"})");
  const auto source = TensorSource::open(folder_.path());
  EXPECT_THAT(source->names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(source->at("c").file, (folder_ / "m-2.safetensors").string());
  EXPECT_EQ(source->total_bytes(), 24u);
  EXPECT_EQ(source->files().size(), 2u);
}

TEST_F(ShardedSource, RefusesAMissingShard) {
  write_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-3.safetensors"})");
  EXPECT_THAT(refusal(folder_.path()), AllOf(HasSubstr("m-3.safetensors"), HasSubstr("listed but missing")));
}

TEST_F(ShardedSource, RefusesAListedTensorThatNoShardHas) {
  write_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors","d":"m-2.safetensors"})");
  EXPECT_THAT(refusal(folder_.path()), AllOf(HasSubstr("\"d\""), HasSubstr("m-2.safetensors")));
}

TEST_F(ShardedSource, RefusesATensorInAnotherShardThanListed) {
  write_index(R"({"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-2.safetensors"})");
  EXPECT_THAT(refusal(folder_.path()), AllOf(HasSubstr("\"b\""), HasSubstr("found in")));
}

TEST_F(ShardedSource, RefusesATensorThatIsNotListed) {
  write_index(R"({"a":"m-1.safetensors","c":"m-2.safetensors"})");
  EXPECT_THAT(refusal(folder_.path()), AllOf(HasSubstr("\"b\""), HasSubstr("not listed")));
}

TEST_F(ShardedSource, RefusesADoubledTensor) {
  write_floats(folder_ / "m-2.safetensors", {"b", "c"});
  write_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"})");
  EXPECT_THAT(refusal(folder_.path()), AllOf(HasSubstr("\"b\""), HasSubstr("doubled")));
}

TEST_F(ShardedSource, RefusesAnIndexThatLeavesItsFolderOrIsMalformed) {
  write_index(R"({"a":"../m-1.safetensors"})");
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("../m-1.safetensors"));
  write_index(R"({"a":"m-1.safetensors","a":"m-2.safetensors"})");
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("twice"));
  write_index("{}");
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("weight_map"));
  write_index(R"({"a":1})");
  EXPECT_THAT(refusal(folder_.path()), AllOf(HasSubstr("\"a\""), HasSubstr("file name")));
}

TEST_F(ShardedSource, RefusesFoldersThatLeaveAChoice) {
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("several files (m-1.safetensors, m-2.safetensors)"));
  write_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"})");
  write_floats(folder_ / "diffusion_pytorch_model.safetensors", {"a"});
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("doubled weights"));
  const TemporaryFolder empty;
  EXPECT_THAT(refusal(empty.path()), HasSubstr("no *.safetensors file"));
}

}  // namespace
}  // namespace reelfarm::weights
