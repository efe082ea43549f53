#include "pipeline/weights/safetensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/weights/raw_safetensors.hpp"

namespace reelfarm::weights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::raw_safetensors;
using testing::TemporaryFolder;
using testing::write_raw;
using testing::write_text;

TEST(Safetensors, ReadsTensorsMetadataScalarsAndEmptyTensors) {
  const TemporaryFolder folder;
  const auto file =
      write_raw(folder / "a.safetensors",
                R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[2,2],"data_offsets":[4,8]},)"
                R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                R"("empty":{"dtype":"F64","shape":[0,9],"data_offsets":[4,4]}}   )",
                std::string("\0\0\x80\x3f", 4) + "wxyz");
  const SafetensorsFile opened(file);
  ASSERT_EQ(opened.tensors().size(), 3u);
  EXPECT_EQ(opened.metadata().at("format"), "pt");
  const TensorInfo& a = opened.tensors()[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_TRUE(a.shape.empty());
  float one = 0;
  std::memcpy(&one, a.bytes.data(), 4);
  EXPECT_EQ(one, 1.0f);
  EXPECT_EQ(opened.tensors()[1].shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(static_cast<char>(opened.tensors()[1].bytes[3]), 'z');
  EXPECT_TRUE(opened.tensors()[2].bytes.empty());
}

struct BadHeader {
  const char* name;
  std::string header;
  std::size_t data_bytes;
  std::vector<std::string> said;
};

class BadHeaders : public ::testing::TestWithParam<BadHeader> {};

TEST_P(BadHeaders, AreRefusedWithFileTensorExpectedAndFound) {
  const TemporaryFolder folder;
  const auto file = write_raw(folder / "bad.safetensors", GetParam().header, std::string(GetParam().data_bytes, 'x'));
  const std::string message = message_of<WeightError>([&] { SafetensorsFile opened(file); });
  EXPECT_THAT(message, HasSubstr(file.string()));
  for (const std::string& part : GetParam().said) EXPECT_THAT(message, HasSubstr(part));
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

std::string case_name(const ::testing::TestParamInfo<BadHeader>& bad) {
  return bad.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Rules, BadHeaders,
    ::testing::Values(
        BadHeader{"NotJson", "{\"a\":", 0, {"not valid JSON"}}, BadHeader{"NotAnObject", "[1]", 0, {"begin with '{'"}},
        BadHeader{"LeadingSpace", " {}", 0, {"begin with '{'"}}, BadHeader{"Empty", "", 0, {"begin with '{'"}},
        BadHeader{"TextBehind", "{}x", 0, {"not valid JSON"}},
        BadHeader{"NotUtf8", "{\"\xff\":1}", 0, {"not valid JSON"}},
        BadHeader{"UnknownDtype", "{" + entry("w", "F12", "[1]", "[0,4]") + "}", 4, {"\"w\"", "BF16", "F12"}},
        BadHeader{"DtypeNotAString", R"({"w":{"dtype":3,"shape":[1],"data_offsets":[0,4]}})", 4, {"\"w\"", "dtype"}},
        BadHeader{"MissingKey", R"({"w":{"dtype":"F32","shape":[1]}})", 4, {"\"w\"", "data_offsets", "missing"}},
        BadHeader{"UnknownKey",
                  R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"stride":1}})",
                  4,
                  {"\"w\"", "stride"}},
        BadHeader{"EntryNotAnObject", R"({"w":7})", 0, {"\"w\"", "object", "7"}},
        BadHeader{"NegativeExtent", "{" + entry("w", "F32", "[-1]", "[0,4]") + "}", 4, {"\"w\"", "non-negative", "-1"}},
        BadHeader{"FractionalExtent", "{" + entry("w", "F32", "[1.5]", "[0,4]") + "}", 4, {"\"w\"", "1.5"}},
        BadHeader{"ShapeOverflow",
                  "{" + entry("w", "F32", "[4294967296,4294967296]", "[0,4]") + "}",
                  4,
                  {"\"w\"", "overflows"}},
        BadHeader{"ShapeOverflowToSmall",
                  "{" + entry("w", "F32", "[4611686018427387904,4]", "[0,0]") + "}",
                  0,
                  {"\"w\"", "overflows"}},
        BadHeader{"ExtentOver64Bits",
                  "{" + entry("w", "F32", "[18446744073709551615]", "[0,4]") + "}",
                  4,
                  {"\"w\"", "overflows"}},
        BadHeader{"SizeMismatch", "{" + entry("w", "F32", "[2]", "[0,4]") + "}", 4, {"\"w\"", "8 bytes", "hold 4"}},
        BadHeader{"BeginAfterEnd", "{" + entry("w", "F32", "[1]", "[4,0]") + "}", 4, {"\"w\"", "before they begin"}},
        BadHeader{"OneOffset", "{" + entry("w", "F32", "[1]", "[4]") + "}", 4, {"\"w\"", "[begin, end]"}},
        BadHeader{"HugeOffset", "{" + entry("w", "F32", "[1]", "[0,18446744073709551616]") + "}", 4, {"\"w\""}},
        BadHeader{"BeyondTheFile", "{" + entry("w", "F32", "[2]", "[0,8]") + "}", 4, {"\"w\"", "truncated"}},
        BadHeader{"Overlap",
                  "{" + entry("v", "F32", "[2]", "[0,8]") + "," + entry("w", "F32", "[2]", "[4,12]") + "}",
                  12,
                  {"\"w\"", "overlaps", "\"v\""}},
        BadHeader{"SameBytesTwice",
                  "{" + entry("v", "F32", "[1]", "[0,4]") + "," + entry("w", "F32", "[1]", "[0,4]") + "}",
                  4,
                  {"overlaps"}},
        BadHeader{"Hole",
                  "{" + entry("v", "F32", "[1]", "[0,4]") + "," + entry("w", "F32", "[1]", "[8,12]") + "}",
                  12,
                  {"\"w\"", "hole", "expected 4"}},
        BadHeader{"HoleAtTheStart", "{" + entry("w", "F32", "[1]", "[4,8]") + "}", 8, {"\"w\"", "hole"}},
        BadHeader{"TrailingBytes", "{" + entry("w", "F32", "[1]", "[0,4]") + "}", 9, {"5 trailing bytes"}},
        BadHeader{"DoubledTensor",
                  "{" + entry("w", "F32", "[1]", "[0,4]") + "," + entry("w", "F32", "[1]", "[4,8]") + "}",
                  8,
                  {"\"w\"", "twice"}},
        BadHeader{"DoubledKeyInATensor",
                  R"({"w":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                  4,
                  {"\"dtype\"", "twice"}},
        BadHeader{"MetadataNotStrings", R"({"__metadata__":{"step":3}})", 0, {"__metadata__", "\"step\"", "string"}},
        BadHeader{"MetadataNotAnObject", R"({"__metadata__":"x"})", 0, {"__metadata__", "object"}},
        BadHeader{"Deep", "{\"w\":" + std::string(5000, '[') + std::string(5000, ']') + "}", 0, {"nested"}}),
    case_name);

TEST(Safetensors, RefusesLengthsThatTheFileDoesNotHave) {
  const TemporaryFolder folder;
  const std::string whole = raw_safetensors("{" + entry("w", "F32", "[1]", "[0,4]") + "}", "wxyz");
  // Every proper prefix of a valid file is refused: the format has no room for silent truncation.
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_text(folder / "cut.safetensors", whole.substr(0, size));
    EXPECT_THROW(SafetensorsFile(folder / "cut.safetensors"), WeightError) << size << " bytes";
  }
  std::string huge = whole;
  const std::uint64_t length = kMaxHeaderBytes + 1;
  std::memcpy(huge.data(), &length, sizeof length);
  write_text(folder / "huge.safetensors", huge);
  EXPECT_THAT(message_of<WeightError>([&] { SafetensorsFile opened(folder / "huge.safetensors"); }),
              HasSubstr("100000001"));
}

TEST(Safetensors, RefusesWhatIsNotARegularFile) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<WeightError>([&] { SafetensorsFile opened(folder.path()); }), HasSubstr("not a regular file"));
  EXPECT_THAT(message_of<WeightError>([&] { SafetensorsFile opened(folder / "none"); }),
              HasSubstr("No such file or directory"));
}

/// Any change of bytes is either refused with WeightError or leaves tensors that lie within the file.
TEST(Safetensors, RandomMutationsNeverCrash) {
  const testing::MemoryFile memory;
  const std::string valid =
      raw_safetensors(R"({"__metadata__":{"format":"pt"},)" + entry("a.weight", "BF16", "[2,3]", "[0,12]") + "," +
                          entry("b.weight", "F32", "[4]", "[12,28]") + "," + entry("c", "I64", "[]", "[28,36]") + "}",
                      std::string(36, 'd'));
  const std::string dictionary[] = {"0",
                                    "-1",
                                    "9223372036854775807",
                                    "18446744073709551615",
                                    "1e99",
                                    "null",
                                    "[",
                                    "]",
                                    "{",
                                    "}",
                                    "\"",
                                    ",",
                                    ":",
                                    "F64",
                                    "\\ud800",
                                    std::string(1, '\0'),
                                    "\xff"};
  std::mt19937_64 random(20260101);
  int opened = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = valid;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int change = 0; change < changes; ++change) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 5) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 8);
          break;
        case 2:
          bytes.insert(at, dictionary[random() % std::size(dictionary)]);
          break;
        case 3:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
          break;
        default:
          bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 40));
          break;
      }
    }
    memory.set(bytes);
    try {
      const SafetensorsFile file(memory.path());
      ++opened;
      std::size_t covered = 0;
      unsigned sum = 0;
      for (const TensorInfo& tensor : file.tensors()) {
        covered += tensor.bytes.size();
        for (const std::byte byte : tensor.bytes) sum += std::to_integer<unsigned>(byte);
      }
      EXPECT_LE(covered, bytes.size()) << sum;
    } catch (const WeightError&) {
      continue;
    }
  }
  EXPECT_GT(opened, 100) << "the mutations are too violent to reach the code behind the header checks";
  EXPECT_LT(opened, 15000);
}

}  // namespace
}  // namespace reelfarm::weights
