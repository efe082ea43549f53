// How fast weights get from a safetensors file into memory, next to `cat FILE >/dev/null` on the same file.
//
// Rows: what is done; columns: GB/s (10^9 bytes) with the file's pages dropped from the cache, and with them in it. The
// ceiling of a cold read is `cat`, which uses every byte once and keeps none; of a warm copy, memcpy of as many bytes
// between two buffers. All values that are read are checked against what was written.
//
// Usage: bench_load [FOLDER [GIGABYTES]]   (default: the temporary folder, 2.2)
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/support/page_cache.hpp"
#include "bench/support/timing.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "pipeline/weights/tensor_source.hpp"
#include "pipeline/weights/verify.hpp"

namespace {

using namespace reelfarm;
namespace fs = std::filesystem;

constexpr int kRounds = 5;
constexpr std::int64_t kWidth = 3072;  // of the transformer this stands for
constexpr std::int64_t kTensorBytes = kWidth * 4 * kWidth * 2;

class TemporaryFile {
 public:
  explicit TemporaryFile(fs::path path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Pseudo-random finite bf16 numbers: nothing that a file system could leave out or compress away.
void fill(std::vector<std::uint32_t>& words, std::uint32_t seed) {
  std::uint32_t state = seed * 2654435761u + 1;
  for (std::uint32_t& word : words) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    word = state & 0xBF7FBF7F;  // one exponent bit of each half stays 0, so that no number is infinite
  }
}

/// Sum of the 32-bit words, which every way of reading must arrive at.
std::uint64_t sum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  std::uint32_t word = 0;
  for (std::size_t at = 0; at + sizeof word <= bytes.size(); at += sizeof word) {
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  return sum;
}

std::uint64_t write_file(const fs::path& path, int tensors) {
  std::vector<weights::SafetensorsWriter::Declaration> declarations;
  for (int i = 0; i < tensors; ++i)
    declarations.push_back({"blocks." + std::to_string(i) + ".weight", weights::DType::bf16, {4 * kWidth, kWidth}});
  weights::SafetensorsWriter writer(path, declarations);
  std::vector<std::uint32_t> words(kTensorBytes / sizeof(std::uint32_t));
  std::uint64_t sum = 0;
  for (int i = 0; i < tensors; ++i) {
    fill(words, static_cast<std::uint32_t>(i));
    sum += sum_of(std::as_bytes(std::span(words)));
    writer.append(declarations[static_cast<std::size_t>(i)].name, std::as_bytes(std::span(words)));
  }
  writer.finish();
  return sum;
}

void check(bool right, const char* what) {
  if (!right) throw std::runtime_error(std::string(what) + " read other values than were written");
}

struct Row {
  std::string name;
  std::function<void()> work;
  std::vector<double> cold, warm;
};

int run(const fs::path& folder, double gigabytes) {
  const int tensors = static_cast<int>(gigabytes * 1e9 / kTensorBytes) + 1;
  const TemporaryFile file(folder / ("reelfarm-bench-load-" + std::to_string(::getpid()) + ".safetensors"));
  std::uint64_t expected = 0;
  const double written = bench::seconds([&] { expected = write_file(file.path(), tensors); });
  const double bytes = static_cast<double>(fs::file_size(file.path()));
  std::vector<std::byte> buffer(kTensorBytes), other(kTensorBytes);

  const auto each = [&](bool ahead, const std::function<void(const weights::TensorInfo&)>& use) {
    const auto source = weights::TensorSource::open(file.path());
    const std::vector<std::string> names = source->names();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (ahead && i + 1 < names.size()) weights::prefetch(source->at(names[i + 1]));
      use(source->at(names[i]));
    }
  };
  const std::string cat = "cat '" + file.path().string() + "' >/dev/null";
  std::vector<Row> rows;
  rows.push_back({"cat FILE >/dev/null", [&] { check(std::system(cat.c_str()) == 0, "cat"); }, {}, {}});
  rows.push_back({"map, check the header", [&] { weights::TensorSource::open(file.path()); }, {}, {}});
  rows.push_back({"map, copy each tensor",
                  [&] {
                    each(false, [&](const weights::TensorInfo& tensor) {
                      std::memcpy(buffer.data(), tensor.bytes.data(), tensor.bytes.size());
                    });
                  },
                  {},
                  {}});
  rows.push_back({"the same, one prefetched",
                  [&] {
                    each(true, [&](const weights::TensorInfo& tensor) {
                      std::memcpy(buffer.data(), tensor.bytes.data(), tensor.bytes.size());
                    });
                  },
                  {},
                  {}});
  rows.push_back({"prefetched, sum every word",
                  [&] {
                    std::uint64_t sum = 0;
                    each(true, [&](const weights::TensorInfo& tensor) { sum += sum_of(tensor.bytes); });
                    check(sum == expected, "the map");
                  },
                  {},
                  {}});
  rows.push_back({"prefetched, look for NaN",
                  [&] {
                    each(true, [](const weights::TensorInfo& tensor) {
                      check(weights::find_bad_values(tensor).count == 0, "verify");
                    });
                  },
                  {},
                  {}});
  // Taking turns, so that what else the machine does falls on all rows alike.
  for (int round = 0; round < kRounds; ++round)
    for (Row& row : rows) {
      bench::drop_from_cache(file.path());
      row.cold.push_back(bench::seconds(row.work));
      check(std::system(cat.c_str()) == 0, "cat");
      row.warm.push_back(bench::seconds(row.work));
    }
  std::vector<double> copies;
  for (int round = 0; round < kRounds; ++round)
    copies.push_back(bench::seconds([&] {
      for (int i = 0; i < tensors; ++i) std::memcpy(other.data(), buffer.data(), buffer.size());
    }));

  const double cat_cold = bench::median(rows[0].cold), copy = bench::median(copies);
  std::printf("bf16, %d tensors of %lldx%lld, %.2f GB in one file, 1 thread, medians of %d\n", tensors,
              static_cast<long long>(4 * kWidth), static_cast<long long>(kWidth), bytes / 1e9, kRounds);
  std::printf("%-28s %10s %12s %10s %14s\n", "", "cold GB/s", "% of cat", "warm GB/s", "% of memcpy");
  for (const Row& row : rows) {
    if (row.name == "map, check the header") {
      std::printf("%-28s %9.2f ms %21.2f ms\n", row.name.c_str(), bench::median(row.cold) * 1e3,
                  bench::median(row.warm) * 1e3);
      continue;
    }
    std::printf("%-28s %10.2f %11.0f%% %10.2f %13.0f%%\n", row.name.c_str(), bytes / bench::median(row.cold) / 1e9,
                100 * cat_cold / bench::median(row.cold), bytes / bench::median(row.warm) / 1e9,
                100 * copy / bench::median(row.warm));
  }
  std::printf("%-28s %10s %12s %10.2f %13.0f%%\n", "memcpy between buffers", "", "", bytes / copy / 1e9, 100.0);
  std::printf("written and synced in %.1f s, %.2f GB/s\n", written, bytes / written / 1e9);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const double gigabytes = argc > 2 ? std::stod(argv[2]) : 2.2;
    if (argc > 3 || !(gigabytes > 0)) throw std::invalid_argument("usage: bench_load [FOLDER [GIGABYTES]]");
    return run(argc > 1 ? fs::path(argv[1]) : fs::temp_directory_path(), gigabytes);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 2;
  }
}
