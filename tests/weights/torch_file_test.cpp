#include "pipeline/weights/torch_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/weights/safetensors.hpp"
#include "pipeline/weights/tensor_source.hpp"
#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;

const std::filesystem::path kFolder = std::filesystem::path(REELFARM_REFERENCE_DIR) / "torch_files";

std::string refusal(const std::filesystem::path& file) {
  return message_of<WeightError>([&] { TensorFile::open(file); });
}

std::vector<std::byte> content(const TensorInfo& tensor) {
  const TensorBytes stored = read(tensor);
  return {stored.bytes.begin(), stored.bytes.end()};
}

void expect_flat_tensors(const std::filesystem::path& file, const std::string& prefix) {
  const auto found = TensorSource::open(file);
  const auto expected = TensorSource::open(kFolder / "flat.safetensors");
  for (const std::string& name : expected->names()) {
    const TensorInfo* tensor = found->find(prefix + name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(tensor->dtype, expected->at(name).dtype) << name;
    EXPECT_EQ(tensor->shape, expected->at(name).shape) << name;
    EXPECT_EQ(content(*tensor), content(expected->at(name))) << name;
  }
}

TEST(TorchFile, ReadsEveryTypeAndViewAsTorchSavedIt) {
  expect_flat_tensors(kFolder / "flat.pt", "");
  const auto source = TensorSource::open(kFolder / "flat.pt");
  EXPECT_EQ(source->names().size(), TensorSource::open(kFolder / "flat.safetensors")->names().size());
  EXPECT_FALSE(source->at("rows").decode) << "rows lie together: they are mapped";
  EXPECT_TRUE(source->at("columns").decode);
  EXPECT_TRUE(source->at("transposed").decode);
}

TEST(TorchFile, NamesNestedTensorsByTheirKeysAndLeavesOutTheRest) {
  for (const char* name : {"nested.pt", "protocol4.pt"}) {
    expect_flat_tensors(kFolder / name, "module.");
    const auto source = TensorSource::open(kFolder / name);
    EXPECT_NE(source->find("list.0"), nullptr) << name;
    EXPECT_NE(source->find("list.1.deep"), nullptr) << name;
    EXPECT_EQ(source->names().size(), TensorSource::open(kFolder / "flat.safetensors")->names().size() + 2) << name;
  }
}

TEST(TorchFile, RunsNothingAndNamesWhatAPickleWouldRun) {
  for (const char* name : {"attack2.pt", "attack4.pt"})
    EXPECT_THAT(refusal(kFolder / name),
                AllOf(HasSubstr(name), HasSubstr("\"posix.system\""), HasSubstr("pickle byte")))
        << name;
  EXPECT_THAT(refusal(kFolder / "attack_bare.pt"), HasSubstr("bare pickle"));
  EXPECT_THAT(refusal(kFolder / "module.pt"), HasSubstr("\"torch.nn.modules.linear.Linear\""));
  EXPECT_FALSE(std::filesystem::exists(kFolder / "attacked"));
}

TEST(TorchFile, RefusesWhatItCannotMap) {
  const std::pair<const char*, std::vector<const char*>> cases[] = {
      {"legacy.pt", {"bare pickle", "before 1.6", "torch.save(torch.load("}},
      {"bare_tensor.pt", {"holds a tensor", "expected a dictionary"}},
      {"expanded.pt", {"\"a\"", "[1000]", "expanded"}},
      {"uint16.pt", {"torch.uint16", "expected one of F64"}},
      {"complex.pt", {"torch.ComplexFloatStorage"}},
      {"tuple_key.pt", {"key", "tuple", "expected a string"}},
      {"doubled.pt", {"\"a.b\"", "doubled"}},
      {"torchscript.pt", {"compressed", "torch.jit.save"}},
      {"deflated.pt", {"compressed (method 8", "torch.save stores"}},
      {"bomb.pt", {"data/0", "compressed", "unpack to 67108864"}},
      {"big_endian.pt", {"big-endian"}},
      {"short_storage.pt", {"data/\"1\"", "48 elements", "184 bytes"}},
      {"no_storage.pt", {"\"data/2\"", "not in the archive"}}};
  for (const auto& [name, parts] : cases)
    for (const char* part : parts) EXPECT_THAT(refusal(kFolder / name), AllOf(HasSubstr(name), HasSubstr(part)));
}

TEST(TorchFile, RefusesATruncatedFile) {
  const TemporaryFolder folder;
  std::filesystem::copy(kFolder / "flat.pt", folder / "cut.pt");
  for (auto size = std::filesystem::file_size(folder / "cut.pt") - 1; size > 100; size -= 61) {
    std::filesystem::resize_file(folder / "cut.pt", size);
    ASSERT_THAT(refusal(folder / "cut.pt"), HasSubstr("truncated")) << size;
  }
}

TEST(TorchFile, CheckSumsFindAFlippedBitAndPassFilesWithout) {
  const TemporaryFolder folder;
  EXPECT_NO_THROW(TensorSource::open(kFolder / "flat.pt")->check_sums());
  EXPECT_NO_THROW(TensorSource::open(kFolder / "no_crc.pt")->check_sums());
  std::filesystem::copy(kFolder / "flat.pt", folder / "flipped.pt");
  std::uintmax_t offset = 0;
  {
    const TorchFile file(kFolder / "flat.pt");
    const TorchFile* whole = &file;
    const auto& tensors = whole->tensors();
    const auto f32 = std::ranges::find(tensors, "f32", &TensorInfo::name);
    std::string bytes(std::filesystem::file_size(file.path()), '\0');
    std::ifstream(file.path(), std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    offset = bytes.find(std::string(reinterpret_cast<const char*>(f32->bytes.data()), f32->bytes.size()));
    ASSERT_NE(offset, std::string::npos);
  }
  std::fstream flip(folder / "flipped.pt", std::ios::binary | std::ios::in | std::ios::out);
  flip.seekg(static_cast<std::streamoff>(offset));
  const char old = static_cast<char>(flip.get());
  flip.seekp(static_cast<std::streamoff>(offset)).put(static_cast<char>(old ^ 1)).flush();
  const auto source = TensorSource::open(folder / "flipped.pt");
  EXPECT_THAT(message_of<WeightError>([&] { source->check_sums(); }), AllOf(HasSubstr("CRC-32"), HasSubstr("data/1")));
}

}  // namespace
}  // namespace reelfarm::weights
