#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/artifacts/errors.hpp"

/// What a window task publishes: a folder with these files and a manifest that names each with size and SHA-256.
namespace reelfarm::artifacts {

inline constexpr const char* kFramesFile = "frames.mkv";      ///< all decoded frames of the window, lossless RGB
inline constexpr const char* kTailFile = "tail.safetensors";  ///< the last latents, for the next window
inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr int kManifestSchema = 1;

struct ManifestFile {
  std::string name;
  std::uint64_t size_bytes = 0;
  std::string sha256;

  bool operator==(const ManifestFile&) const = default;
};

struct WindowManifest {
  std::string job;
  std::int64_t window = 0;
  std::int64_t take = 0;
  std::int64_t attempt = 0;
  std::string nonce;         ///< of the claim that rendered it
  std::string artifact_key;  ///< of its task: equal keys under one fingerprint mean equal bytes
  std::string fingerprint;   ///< of the group that rendered it
  std::string start_sha256;  ///< of the tail or image that it starts from; empty: from text alone
  std::uint64_t seed = 0;
  std::int64_t first_frame = 0;  ///< global pixel frame of the first frame in the file
  std::int64_t frame_count = 0;
  int width = 0;  ///< as rendered: a multiple of 16, not yet cropped to the asked size
  int height = 0;
  nlohmann::json metrics = nlohmann::json::object();  ///< free for the renderer: seconds per phase, drift, ...
  std::vector<ManifestFile> files;                    ///< filled in by publish, sorted by name

  bool operator==(const WindowManifest&) const = default;
};

std::string to_text(const WindowManifest& manifest);
/// Throws CorruptArtifact; `path` is for the message.
WindowManifest parse_manifest(const std::string& text, const std::filesystem::path& path);

/// "w0003_t0_a2_<nonce>": no two claims ever share a name, so a zombie can only leave an unreferenced folder.
std::string window_folder_name(std::int64_t window, std::int64_t take, std::int64_t attempt, const std::string& nonce);

/// A hidden folder beside its final place, in which the files of one attempt are written; removed unless published.
class Staging {
 public:
  /// Makes `parent`/.staging-`name`, empty. Throws StorageError.
  Staging(const std::filesystem::path& parent, const std::string& name);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& final_path() const { return final_path_; }

  /// Hashes and syncs every file of the folder, writes the manifest, renames the folder into place; returns its place.
  /// Throws StorageError, and ArtifactError when the folder holds no file.
  std::filesystem::path publish(WindowManifest manifest);

 private:
  std::filesystem::path path_;
  std::filesystem::path final_path_;
  bool published_ = false;
};

/// The file of this name in the manifest, or nullptr.
const ManifestFile* find_file(const WindowManifest& manifest, std::string_view name);

/// What the queue knows a published window by.
struct WindowIdentity {
  std::string sha256;       ///< of the manifest
  std::uint64_t bytes = 0;  ///< of the manifest and the files that it names
};

/// `manifest`: that of `folder`. Throws StorageError.
WindowIdentity identify_window(const std::filesystem::path& folder, const WindowManifest& manifest);

enum class Check { kSizes, kHashes };

/// Reads the manifest of a published folder and compares its files. Throws CorruptArtifact or StorageError.
WindowManifest open_window(const std::filesystem::path& folder, Check check);

}  // namespace reelfarm::artifacts
