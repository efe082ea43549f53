#include "pipeline/weights/gguf_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/weights/tensor_source.hpp"
#include "tests/weights/raw_bytes.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::MemoryFile;
using testing::message_of;
using testing::RawBytes;
using testing::TemporaryFolder;

const std::filesystem::path kData = std::filesystem::path(REELFARM_SOURCE_DIR) / "tests/weights/data";
constexpr std::uint32_t kF32 = 0, kQ8 = 8, kBf16 = 30;

RawBytes& name(RawBytes& raw, const std::string& text) {
  return raw.u64(text.size()).text(text);
}

struct RawTensor {
  std::string name;
  std::vector<std::uint64_t> extents;  // the innermost first
  std::uint32_t type;
  std::uint64_t offset;
};

struct RawGguf {
  std::vector<RawTensor> tensors;
  std::string data;
  std::uint32_t version = 3;
  std::string values;  // of the metadata, with `value_count` of them
  std::uint64_t value_count = 0;

  std::string bytes() const {
    RawBytes raw;
    raw.text("GGUF").u32(version).u64(tensors.size()).u64(value_count).text(values);
    for (const RawTensor& tensor : tensors) {
      name(raw, tensor.name).u32(tensor.extents.size());
      for (const std::uint64_t extent : tensor.extents) raw.u64(extent);
      raw.u32(tensor.type).u64(tensor.offset);
    }
    raw.text(std::string((32 - raw.bytes.size() % 32) % 32, '\0'));
    return raw.bytes + data;
  }
};

std::string refusal(const std::string& bytes) {
  const MemoryFile file;
  file.set(bytes);
  return message_of<WeightError>([&] { TensorFile::open(file.path()); });
}

TEST(GgufFile, UnpacksEveryTypeAsItsOwnPackageDoes) {
  const auto found = TensorSource::open(kData / "blocks.gguf"),
             expected = TensorSource::open(kData / "blocks.safetensors");
  EXPECT_EQ(found->names(), expected->names());
  for (const std::string& tensor : expected->names()) {
    EXPECT_EQ(found->at(tensor).dtype, expected->at(tensor).dtype) << tensor;
    EXPECT_EQ(found->at(tensor).shape, expected->at(tensor).shape) << tensor;
    const TensorBytes have = read(found->at(tensor)), want = read(expected->at(tensor));
    EXPECT_TRUE(std::ranges::equal(have.bytes, want.bytes)) << tensor;
  }
}

TEST(GgufFile, APublishedTransformerIsRenamedAndCut) {
  const auto folder = std::filesystem::path(REELFARM_REFERENCE_DIR) / "published";
  const auto stored = TensorFile::open(folder / "kijai.safetensors");
  RawGguf raw;
  RawBytes values;
  for (const TensorInfo& tensor : stored->tensors()) {
    std::vector<std::uint64_t> extents(tensor.shape.rbegin(), tensor.shape.rend());
    if (tensor.name == "img_in.proj.weight") {
      name(values, "comfy.gguf.orig_shape.img_in.proj.weight").u32(9).u32(5).u64(tensor.shape.size());
      for (const std::int64_t extent : tensor.shape) values.u32(static_cast<std::uint64_t>(extent));
      raw.value_count = 1;
      extents = {tensor.element_count()};
    }
    raw.tensors.push_back({tensor.name, extents, tensor.dtype == DType::bf16 ? kBf16 : kF32, raw.data.size()});
    raw.data.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    raw.data.append((32 - raw.data.size() % 32) % 32, '\0');
  }
  raw.values = values.bytes;
  const TemporaryFolder made;
  testing::write_text(made / "transformer.gguf", raw.bytes());
  const auto found = TensorSource::open(made.path()),
             expected = TensorSource::open(folder / "bf16.expected.safetensors");
  EXPECT_EQ(found->names(), expected->names());
  for (const std::string& tensor : expected->names()) {
    const TensorBytes have = read(found->at(tensor)), want = read(expected->at(tensor));
    EXPECT_TRUE(std::ranges::equal(have.bytes, want.bytes)) << tensor;
    EXPECT_EQ(found->at(tensor).shape, expected->at(tensor).shape) << tensor;
  }
}

TEST(GgufFile, FusedRowsOfBlocksAreCutBetweenBlocks) {
  // Rows of a tensor whose rows were no blocks before it was flattened: they cannot be cut where they lie.
  RawGguf raw;
  for (int block = 0; block < 3; ++block) {
    raw.data += std::string("\x00\x3C", 2);  // a scale of one
    for (int i = 0; i < 32; ++i) raw.data.push_back(static_cast<char>(block * 32 + i));
  }
  raw.tensors = {{"double_blocks.0.img_attn_qkv.weight", {96}, kQ8, 0}};
  RawBytes values;
  name(values, "comfy.gguf.orig_shape.double_blocks.0.img_attn_qkv.weight").u32(9).u32(5).u64(2).u32(6).u32(16);
  raw.values = values.bytes;
  raw.value_count = 1;
  const TemporaryFolder folder;
  raw.tensors[0].name = "state_dict." + raw.tensors[0].name;
  raw.values.replace(raw.values.find("double"), 0, "state_dict.");
  raw.values[0] = static_cast<char>(raw.values[0] + 11);
  testing::write_text(folder / "part.gguf", raw.bytes());
  const auto overlay = TensorSource::open_overlay(folder / "part.gguf");
  const TensorBytes key = read(overlay->at("transformer_blocks.0.attn.to_k.weight"));
  ASSERT_EQ(key.bytes.size(), 64U);
  std::uint16_t first = 0;
  std::memcpy(&first, key.bytes.data(), 2);
  EXPECT_EQ(first, 0x4200) << "32 as bf16: the third row of 16";
}

TEST(GgufFile, RefusesWhatIsWrong) {
  const RawTensor good{"a", {32}, kF32, 0};
  RawGguf raw;
  raw.tensors = {good};
  raw.data = std::string(128, 'x');
  EXPECT_EQ(refusal(raw.bytes()), "");
  const auto changed = [&](auto change) {
    RawGguf other = raw;
    change(other);
    return refusal(other.bytes());
  };
  EXPECT_THAT(changed([](RawGguf& r) { r.version = 1; }), HasSubstr("version 1, expected 2 or 3"));
  EXPECT_THAT(changed([](RawGguf& r) { r.version = 0x03000000; }), HasSubstr("big-endian"));
  EXPECT_THAT(changed([](RawGguf& r) { r.tensors[0].type = 10; }), AllOf(HasSubstr("type 10"), HasSubstr("Q6_K")));
  EXPECT_THAT(changed([](RawGguf& r) { r.tensors[0].offset = 32; }), HasSubstr("end beyond the file's 128"));
  EXPECT_THAT(changed([](RawGguf& r) { r.tensors[0].offset = 4; }), HasSubstr("no multiple of 32"));
  EXPECT_THAT(changed([](RawGguf& r) {
                r.tensors[0].extents = {33};
                r.tensors[0].type = kQ8;
              }),
              AllOf(HasSubstr("[33] cannot be Q8_0"), HasSubstr("blocks of 32")));
  EXPECT_THAT(changed([](RawGguf& r) {
                r.tensors[0].extents = {std::uint64_t{1} << 40, std::uint64_t{1} << 40};
              }),
              HasSubstr("cannot be F32"));
  EXPECT_THAT(changed([](RawGguf& r) { r.tensors[0].extents = {std::uint64_t{1} << 60}; }), HasSubstr("an extent of"));
  EXPECT_THAT(changed([](RawGguf& r) {
                r.tensors.push_back(r.tensors[0]);
                r.tensors[1].name = "b";
              }),
              AllOf(HasSubstr("\"a\""), HasSubstr("\"b\""), HasSubstr("share bytes")));
  EXPECT_THAT(changed([](RawGguf& r) { r.tensors.push_back({"a", {0}, kF32, 0}); }), HasSubstr("doubled"));
  EXPECT_THAT(changed([](RawGguf& r) {
                r.value_count = 1;
                r.values = RawBytes().u64(1 << 20).bytes;
              }),
              HasSubstr("a name of 1048576 bytes"));
  const auto value = [&](const std::string& key, RawBytes rest) {
    RawBytes all;
    name(all, key).text(rest.bytes);
    return changed([&](RawGguf& r) {
      r.value_count = 1;
      r.values = all.bytes;
    });
  };
  EXPECT_THAT(value("general.alignment", RawBytes().u32(4).u32(24)), HasSubstr("power of two"));
  EXPECT_THAT(value("x", RawBytes().u32(99)), HasSubstr("kind 99"));
  EXPECT_THAT(value("x", RawBytes().u32(9).u32(10).u64(~std::uint64_t{0})), HasSubstr("truncated"));
  EXPECT_THAT(value("comfy.gguf.orig_shape.a", RawBytes().u32(9).u32(5).u64(1).u32(31)), HasSubstr("other elements"));
}

TEST(GgufFile, SurvivesTruncationAndEveryChangedByte) {
  std::ifstream stream(kData / "blocks.gguf", std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(stream)), {});
  ASSERT_GT(good.size(), 5000U);
  for (std::size_t size = 4; size < good.size(); size += 37) EXPECT_NE(refusal(good.substr(0, size)), "") << size;
  const std::size_t header = good.size() - 5000;
  const MemoryFile file;
  for (std::size_t at = 0; at < header; ++at) {
    for (const int flip : {1, 0x80, 0xFF}) {
      std::string changed = good;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      file.set(changed);
      try {
        const auto opened = TensorFile::open(file.path());
        for (const TensorInfo& tensor : opened->tensors()) EXPECT_EQ(read(tensor).bytes.size(), tensor.byte_count());
      } catch (const WeightError&) {
      }
    }
  }
}

}  // namespace
}  // namespace reelfarm::weights
