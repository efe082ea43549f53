#include "pipeline/artifacts/window_artifact.hpp"

#include <algorithm>
#include <cstdio>

#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/json_integer.hpp"
#include "pipeline/artifacts/sha256.hpp"

namespace reelfarm::artifacts {
namespace {

constexpr std::uint64_t kMaxManifestBytes = 16 << 20;

// A name from a manifest is joined to a folder, so it must not leave it.
void check_file_name(const std::string& name, const std::filesystem::path& path) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    throw CorruptArtifact("manifest " + path.string() + ": '" + name + "' is not a plain file name");
  }
}

std::vector<ManifestFile> describe_files(const std::filesystem::path& folder) {
  std::vector<ManifestFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename() == kManifestFile) continue;
    sync_path(entry.path());
    files.push_back({entry.path().filename().string(), entry.file_size(), sha256_of_file(entry.path())});
  }
  std::sort(files.begin(), files.end(),
            [](const ManifestFile& left, const ManifestFile& right) { return left.name < right.name; });
  return files;
}

}  // namespace

std::string to_text(const WindowManifest& manifest) {
  nlohmann::json files = nlohmann::json::array();
  for (const ManifestFile& file : manifest.files) {
    files.push_back({{"name", file.name}, {"size_bytes", file.size_bytes}, {"sha256", file.sha256}});
  }
  const nlohmann::json json = {{"schema", kManifestSchema},
                               {"job", manifest.job},
                               {"window", manifest.window},
                               {"take", manifest.take},
                               {"attempt", manifest.attempt},
                               {"nonce", manifest.nonce},
                               {"artifact_key", manifest.artifact_key},
                               {"fingerprint", manifest.fingerprint},
                               {"start_sha256", manifest.start_sha256},
                               {"seed", manifest.seed},
                               {"first_frame", manifest.first_frame},
                               {"frame_count", manifest.frame_count},
                               {"width", manifest.width},
                               {"height", manifest.height},
                               {"metrics", manifest.metrics},
                               {"files", files}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

WindowManifest parse_manifest(const std::string& text, const std::filesystem::path& path) {
  WindowManifest manifest;
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    const int schema = json_integer<int>(json, "schema");
    if (schema != kManifestSchema) {
      throw CorruptArtifact("manifest " + path.string() + ": schema " + std::to_string(schema) +
                            " is unknown, this version reads " + std::to_string(kManifestSchema));
    }
    json.at("job").get_to(manifest.job);
    manifest.window = json_integer<std::int64_t>(json, "window");
    manifest.take = json_integer<std::int64_t>(json, "take");
    manifest.attempt = json_integer<std::int64_t>(json, "attempt");
    json.at("nonce").get_to(manifest.nonce);
    json.at("artifact_key").get_to(manifest.artifact_key);
    json.at("fingerprint").get_to(manifest.fingerprint);
    json.at("start_sha256").get_to(manifest.start_sha256);
    manifest.seed = json_integer<std::uint64_t>(json, "seed");
    manifest.first_frame = json_integer<std::int64_t>(json, "first_frame");
    manifest.frame_count = json_integer<std::int64_t>(json, "frame_count");
    manifest.width = json_integer<int>(json, "width");
    manifest.height = json_integer<int>(json, "height");
    manifest.metrics = json.at("metrics");
    for (const nlohmann::json& file : json.at("files")) {
      manifest.files.push_back({file.at("name").get<std::string>(), json_integer<std::uint64_t>(file, "size_bytes"),
                                file.at("sha256").get<std::string>()});
      check_file_name(manifest.files.back().name, path);
    }
  } catch (const nlohmann::json::exception& error) {
    throw CorruptArtifact("manifest " + path.string() + " cannot be read: " + error.what());
  }
  return manifest;
}

std::string window_folder_name(std::int64_t window, std::int64_t take, std::int64_t attempt, const std::string& nonce) {
  std::string index = std::to_string(window);
  if (index.size() < 4) index.insert(0, 4 - index.size(), '0');
  return "w" + index + "_t" + std::to_string(take) + "_a" + std::to_string(attempt) + "_" + nonce;
}

Staging::Staging(const std::filesystem::path& parent, const std::string& name)
    : path_(parent / (".staging-" + name)), final_path_(parent / name) {
  create_folders(parent);
  std::error_code code;
  std::filesystem::remove_all(path_, code);
  create_folders(path_);
}

Staging::~Staging() {
  if (published_) return;
  std::error_code ignored;  // What is left is hidden, and the janitor removes it.
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path Staging::publish(WindowManifest manifest) {
  try {
    manifest.files = describe_files(path_);
  } catch (const std::filesystem::filesystem_error& error) {
    throw StorageError("list", path_, 0, error.code().value());
  }
  if (manifest.files.empty()) throw ArtifactError("nothing to publish: " + path_.string() + " holds no file");
  write_file_durably(path_ / kManifestFile, to_text(manifest));
  sync_path(path_);
  rename_durably(path_, final_path_);
  published_ = true;
  return final_path_;
}

const ManifestFile* find_file(const WindowManifest& manifest, std::string_view name) {
  const auto found = std::find_if(manifest.files.begin(), manifest.files.end(),
                                  [&](const ManifestFile& file) { return file.name == name; });
  return found == manifest.files.end() ? nullptr : &*found;
}

WindowIdentity identify_window(const std::filesystem::path& folder, const WindowManifest& manifest) {
  const std::filesystem::path path = folder / kManifestFile;
  WindowIdentity identity{sha256_of_file(path), static_cast<std::uint64_t>(File::open_to_read(path).size())};
  for (const ManifestFile& file : manifest.files) identity.bytes += file.size_bytes;
  return identity;
}

WindowManifest open_window(const std::filesystem::path& folder, Check check) {
  const std::filesystem::path path = folder / kManifestFile;
  WindowManifest manifest = parse_manifest(read_file(path, kMaxManifestBytes), path);
  for (const ManifestFile& file : manifest.files) {
    const std::filesystem::path name = folder / file.name;
    const auto size = static_cast<std::uint64_t>(File::open_to_read(name).size());
    if (size != file.size_bytes) {
      throw CorruptArtifact(name.string() + " has " + std::to_string(size) + " bytes, its manifest says " +
                            std::to_string(file.size_bytes));
    }
    if (check == Check::kHashes) {
      const std::string digest = sha256_of_file(name);
      if (digest != file.sha256) {
        throw CorruptArtifact(name.string() + " has sha256 " + digest + ", its manifest says " + file.sha256);
      }
    }
  }
  return manifest;
}

}  // namespace reelfarm::artifacts
