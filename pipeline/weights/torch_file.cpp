#include "pipeline/weights/torch_file.hpp"

#include <algorithm>
#include <cstring>

#include "pipeline/weights/detail/strict_json.hpp"
#include "pipeline/weights/detail/torch_objects.hpp"
#include "pipeline/weights/detail/torch_views.hpp"
#include "pipeline/weights/detail/zip_archive.hpp"

namespace reelfarm::weights {
namespace {

using detail::PickleDict;
using detail::PickleList;
using detail::PickleTensor;
using detail::PickleTuple;
using detail::PickleValue;

constexpr std::string_view kPickle = "data.pkl";
constexpr std::uint64_t kLargestPickle = 64 << 20;  // that of a 13 B transformer has 0.3 MB
constexpr int kDeepest = 32;
constexpr std::size_t kMostVisits =
    1'000'000;  // containers may share parts: what is walked can be more than what is there
constexpr std::size_t kLongestName = 4096;

bool starts_with(std::span<const std::byte> file, std::string_view text, std::size_t at = 0) {
  return file.size() >= at + text.size() && std::memcmp(file.data() + at, text.data(), text.size()) == 0;
}

bool is_pickle(std::span<const std::byte> file) {
  return file.size() >= 2 && file[0] == std::byte{0x80} && file[1] >= std::byte{1} && file[1] <= std::byte{5};
}

bool is_tar(std::span<const std::byte> file) {
  return starts_with(file, "ustar", 257);
}

void refuse_old_forms(std::span<const std::byte> file, const std::string& what) {
  if (!is_pickle(file) && !is_tar(file)) return;
  throw WeightError(what + ": a " + (is_tar(file) ? "tar archive" : "bare pickle") +
                    ", the form of torch before 1.6, which cannot be mapped. Save it again where you trust it: "
                    "torch.save(torch.load(FILE, map_location=\"cpu\", weights_only=True), NEW_FILE)");
}

/// The folder in the archive that everything is in, with its slash.
std::string find_root(const detail::ZipArchive& archive, const std::string& what) {
  std::vector<std::string> roots;
  for (const auto& [name, member] : archive.members())
    if (name.ends_with("/" + std::string(kPickle))) roots.push_back(name.substr(0, name.size() - kPickle.size()));
  if (roots.size() != 1)
    throw WeightError(what + ": a zip archive with " + std::to_string(roots.size()) +
                      " members */data.pkl, expected one: not written by torch.save");
  return roots.front();
}

/// Walks the containers and hands over every tensor with its path of keys.
template <typename Take>
class Walk {
 public:
  Walk(const std::string& what, Take take) : what_(what), take_(take) {}

  void visit(const PickleValue& value, const std::string& name, int depth) {
    if (++visits_ > kMostVisits) throw WeightError(what_ + ": more than " + std::to_string(kMostVisits) + " objects");
    if (const auto* tensor = value.as<PickleTensor>()) return take_(name, *tensor);
    if (depth > kDeepest)
      throw WeightError(what_ + ": nested deeper than " + std::to_string(kDeepest) + " levels at " +
                        detail::shown(name));
    if (const auto* dict = value.as<PickleDict>()) {
      for (const auto& [key, item] : dict->items) visit(*item, joined(name, key_text(*key, name)), depth + 1);
    } else if (const auto* list = value.as<PickleList>()) {
      visit_all(list->items, name, depth);
    } else if (const auto* tuple = value.as<PickleTuple>()) {
      visit_all(tuple->items, name, depth);
    }
  }

 private:
  void visit_all(const std::vector<const PickleValue*>& items, const std::string& name, int depth) {
    for (std::size_t i = 0; i < items.size(); ++i) visit(*items[i], joined(name, std::to_string(i)), depth + 1);
  }
  std::string key_text(const PickleValue& key, const std::string& name) const {
    if (const auto* text = key.as<std::string>()) return *text;
    if (const auto* number = key.as<std::int64_t>()) return std::to_string(*number);
    throw WeightError(what_ + ": a key of " + detail::shown(name) + " is a " + std::string(key.kind()) +
                      ", expected a string");
  }
  std::string joined(const std::string& name, const std::string& key) const {
    if (name.size() + key.size() > kLongestName)
      throw WeightError(what_ + ": a name of more than " + std::to_string(kLongestName) + " letters");
    return name.empty() ? key : name + "." + key;
  }

  const std::string& what_;
  Take take_;
  std::size_t visits_ = 0;
};

}  // namespace

bool looks_like_torch(std::span<const std::byte> file) {
  return detail::looks_like_zip(file) || is_pickle(file) || is_tar(file);
}

TorchFile::TorchFile(const std::filesystem::path& file) : TensorFile(file) {
  const std::string what = "weights: " + file.string();
  refuse_old_forms(mapping_.bytes(), what);
  archive_ = std::make_unique<detail::ZipArchive>(mapping_.bytes(), what);
  const std::string root = find_root(*archive_, what);
  if (const auto* order = archive_->find(root + "byteorder"); order != nullptr && !starts_with(order->bytes, "little"))
    throw WeightError(what + ": written on a big-endian machine, expected little-endian");

  const std::string pickle_name = root + std::string(kPickle);
  const auto pickle = archive_->find(pickle_name)->bytes;
  if (pickle.size() > kLargestPickle)
    throw WeightError(what + ": data.pkl has " + std::to_string(pickle.size()) + " bytes, expected at most " +
                      std::to_string(kLargestPickle));
  archive_->check_crc(pickle_name);
  const detail::TorchObjects rules;
  const detail::PickleReader reader(pickle, rules, what);
  if (reader.root().as<PickleDict>() == nullptr)
    throw WeightError(what + ": holds a " + std::string(reader.root().kind()) + ", expected a dictionary of tensors");

  const auto take = [&](const std::string& name, const PickleTensor& tensor) {
    const std::string at = what + ": tensor " + detail::shown(name);
    const detail::ZipMember* data = archive_->find(root + "data/" + tensor.storage.key);
    if (data == nullptr)
      throw WeightError(at + ": its data " + detail::shown("data/" + tensor.storage.key) + " is not in the archive");
    TensorInfo info = detail::view_of(tensor, data->bytes, at);
    info.name = name;
    info.file = file.string();
    tensors_.push_back(std::move(info));
  };
  Walk(what, take).visit(reader.root(), "", 0);
  finish_names();
}

TorchFile::~TorchFile() = default;

void TorchFile::check_sums() const {
  for (const auto& [name, member] : archive_->members()) archive_->check_crc(name);
}

}  // namespace reelfarm::weights
