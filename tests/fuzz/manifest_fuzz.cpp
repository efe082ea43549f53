// Any bytes as a window's manifest: read or refused with CorruptArtifact, and no file name leaves the folder.
#include <cstdlib>
#include <string>

#include "pipeline/artifacts/window_artifact.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace reelfarm::artifacts;
  try {
    const WindowManifest manifest =
        parse_manifest(std::string(reinterpret_cast<const char*>(data), size), "manifest.json");
    for (const ManifestFile& file : manifest.files) {
      if (file.name.find('/') != std::string::npos || file.name == "..") std::abort();
    }
    if (to_text(parse_manifest(to_text(manifest), "again")) != to_text(manifest)) std::abort();
  } catch (const CorruptArtifact&) {
  }
  return 0;
}
