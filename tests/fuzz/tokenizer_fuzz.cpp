// Any bytes as tokenizer.json: read or refused with TokenizerError; a tokenizer that was read encodes text.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "pipeline/tokenizers/tokenizer.hpp"

namespace {

namespace fs = std::filesystem;

/// A folder of this process: the reader takes a folder.
const fs::path& folder() {
  static const fs::path path = [] {
    std::string pattern = (fs::temp_directory_path() / "reelfarm-fuzz-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    std::atexit([] { fs::remove_all(path); });
    return fs::path(pattern);
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace reelfarm::tokenizers;
  std::ofstream(folder() / "tokenizer.json", std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const auto tokenizer = Tokenizer::open(folder());
    const Encoding encoding = tokenizer->encode("a red ball, \xE2\x9C\x93 moving  left\n<|x|>");
    const auto known = [&](std::int64_t id) { return id >= 0 && id < tokenizer->vocabulary_size(); };
    if (!std::all_of(encoding.ids.begin(), encoding.ids.end(), known)) std::abort();
    tokenizer->decode(encoding.ids);
  } catch (const TokenizerError&) {
  }
  return 0;
}
