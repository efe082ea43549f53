#include "pipeline/weights/gguf_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "pipeline/weights/detail/byte_reader.hpp"
#include "pipeline/weights/detail/gguf_blocks.hpp"
#include "pipeline/weights/detail/strict_json.hpp"

namespace reelfarm::weights {
namespace {

using detail::ByteReader;

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kDefaultAlignment = 32, kMostDimensions = 8;
constexpr std::string_view kShapeKey = "comfy.gguf.orig_shape.";
constexpr std::uint64_t kLongestName = 4096;

enum Kind : std::uint32_t { kU32 = 4, kI32 = 5, kString = 8, kArray = 9 };
// Bytes of a value of each kind; 0 for strings and arrays.
constexpr std::array<std::uint8_t, 13> kSizes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

struct Metadata {
  std::uint64_t alignment = kDefaultAlignment;
  std::map<std::string, std::vector<std::int64_t>, std::less<>> shapes;  // what a tensor had before it was flattened
};

std::string read_name(ByteReader& in) {
  const auto size = in.number<std::uint64_t>();
  if (size > kLongestName) in.fail("a name of " + std::to_string(size) + " bytes: not a GGUF file, or damaged");
  return std::string(in.text(size));
}

std::uint64_t size_of_kind(ByteReader& in, std::uint32_t kind) {
  if (kind >= kSizes.size()) in.fail("a value of kind " + std::to_string(kind) + ": not a GGUF file, or damaged");
  return kSizes[kind];
}

void skip_strings(ByteReader& in, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) in.run(in.number<std::uint64_t>());
}

/// The array's numbers where they are 32-bit integers; nothing for others, which are skipped.
std::vector<std::int64_t> read_array(ByteReader& in) {
  const auto kind = in.number<std::uint32_t>();
  const auto count = in.number<std::uint64_t>();
  const std::uint64_t size = size_of_kind(in, kind);
  if (kind == kArray) in.fail("an array of arrays");
  if (kind == kString) {
    skip_strings(in, count);
    return {};
  }
  if (count > in.remaining() / size) in.fail(std::to_string(count) + " values announced: truncated");
  std::vector<std::int64_t> numbers;
  if (kind == kI32 && count <= kMostDimensions)
    for (std::uint64_t i = 0; i < count; ++i) numbers.push_back(in.number<std::int32_t>());
  else
    in.run(count * size);
  return numbers;
}

Metadata read_metadata(ByteReader& in, std::uint64_t count) {
  Metadata metadata;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key = read_name(in);
    const auto kind = in.number<std::uint32_t>();
    const std::uint64_t size = size_of_kind(in, kind);
    if (key == "general.alignment") {
      if (kind != kU32) in.fail("general.alignment is no 32-bit number");
      metadata.alignment = in.number<std::uint32_t>();
      if (metadata.alignment < 8 || !std::has_single_bit(metadata.alignment))
        in.fail("general.alignment " + std::to_string(metadata.alignment) + ", expected a power of two from 8 on");
    } else if (kind == kArray) {
      std::vector<std::int64_t> numbers = read_array(in);
      if (key.starts_with(kShapeKey)) metadata.shapes[key.substr(kShapeKey.size())] = std::move(numbers);
    } else if (kind == kString) {
      skip_strings(in, 1);
    } else {
      in.run(size);
    }
  }
  return metadata;
}

struct Entry {
  std::string name;
  std::vector<std::int64_t> shape;
  std::uint32_t type;
  std::uint64_t offset;
};

Entry read_entry(ByteReader& in) {
  Entry entry;
  entry.name = read_name(in);
  const auto dimensions = in.number<std::uint32_t>();
  if (dimensions > kMostDimensions) in.fail("a tensor of " + std::to_string(dimensions) + " dimensions");
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto extent = in.number<std::uint64_t>();
    if (extent > (std::uint64_t{1} << 48)) in.fail("an extent of " + std::to_string(extent));
    entry.shape.push_back(static_cast<std::int64_t>(extent));
  }
  // The innermost comes first.
  std::ranges::reverse(entry.shape);
  entry.type = in.number<std::uint32_t>();
  entry.offset = in.number<std::uint64_t>();
  return entry;
}

}  // namespace

bool looks_like_gguf(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() && std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

void GgufFile::add(const std::string& name, const std::vector<std::int64_t>& shape, std::uint32_t type,
                   std::span<const std::byte> data, std::uint64_t offset) {
  const std::string what = "weights: " + path_.string() + ": tensor " + detail::shown(name);
  const detail::GgufType* known = detail::gguf_type(type);
  if (known == nullptr)
    throw WeightError(what + ": type " + std::to_string(type) + ", this version reads " +
                      std::string(detail::known_gguf_types()));
  const auto elements = bytes_of(shape, 1);
  const std::int64_t row = shape.empty() ? 1 : shape.back();
  if (!elements || !bytes_of(shape, size_of(known->dtype)) || row % known->block_elements != 0)
    throw WeightError(what + ": shape " + detail::shown(nlohmann::json(shape)) + " cannot be " +
                      std::string(known->name) + ", whose rows are blocks of " + std::to_string(known->block_elements));
  const std::uint64_t bytes = *elements / known->block_elements * known->block_bytes;
  if (offset > data.size() || bytes > data.size() - offset)
    throw WeightError(what + ": bytes [" + std::to_string(offset) + ", +" + std::to_string(bytes) +
                      ") end beyond the file's " + std::to_string(data.size()) +
                      " data bytes (is the file truncated?)");
  TensorInfo tensor{name, known->dtype, shape, data.subspan(offset, bytes), path_.string()};
  if (known->decode != nullptr) {
    tensor.decode = known->decode;
    tensor.block_bytes = known->block_bytes;
  }
  tensors_.push_back(std::move(tensor));
}

void GgufFile::check_overlaps() const {
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& tensor : tensors_)
    if (!tensor.bytes.empty()) order.push_back(&tensor);
  std::ranges::sort(order, {}, [](const TensorInfo* tensor) { return tensor->bytes.data(); });
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i]->bytes.data() < order[i - 1]->bytes.data() + order[i - 1]->bytes.size())
      throw WeightError("weights: " + path_.string() + ": tensors " + detail::shown(order[i - 1]->name) + " and " +
                        detail::shown(order[i]->name) + " share bytes");
}

GgufFile::GgufFile(const std::filesystem::path& file) : TensorFile(file) {
  ByteReader in(mapping_.bytes(), "weights: " + file.string());
  in.run(kMagic.size());
  const auto version = in.number<std::uint32_t>();
  if (version != 2 && version != 3)
    in.fail("GGUF version " + std::to_string(version) + ", expected 2 or 3" +
            (version >= 1U << 24 ? " (a big-endian file?)" : ""));
  const auto tensors = in.number<std::uint64_t>(), values = in.number<std::uint64_t>();
  const Metadata metadata = read_metadata(in, values);
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < tensors; ++i) entries.push_back(read_entry(in));
  const std::uint64_t begin = (in.position() + metadata.alignment - 1) / metadata.alignment * metadata.alignment;
  const std::uint64_t size = mapping_.bytes().size();
  const auto data = mapping_.bytes().subspan(std::min(begin, size));
  for (Entry& entry : entries) {
    if (entry.offset % metadata.alignment != 0)
      in.fail("tensor " + detail::shown(entry.name) + " begins at " + std::to_string(entry.offset) +
              ", no multiple of " + std::to_string(metadata.alignment));
    add(entry.name, entry.shape, entry.type, data, entry.offset);
    // ComfyUI's converter flattens what has rows that are no blocks, and keeps the shape beside it.
    if (const auto shape = metadata.shapes.find(entry.name); shape != metadata.shapes.end()) {
      const bool fits = std::ranges::all_of(shape->second, [](std::int64_t extent) { return extent > 0; }) &&
                        bytes_of(shape->second, 1) == tensors_.back().element_count();
      if (!fits)
        in.fail("tensor " + detail::shown(entry.name) + ": its shape before it was flattened, " +
                detail::shown(nlohmann::json(shape->second)) + ", has other elements than " +
                detail::shown(nlohmann::json(entry.shape)));
      tensors_.back().shape = shape->second;
    }
  }
  check_overlaps();
  finish_names();
}

}  // namespace reelfarm::weights
